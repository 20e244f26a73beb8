package kube

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultPrefix begins flannel's annotations.
const DefaultPrefix = "flannel.alpha.coreos.com"

// annotation is one of the annotations that matter, as an index.
type annotation int

// flannel's annotations, and weft's own. Agents write the first seven, operators the others.
const (
	annManaged annotation = iota // "true": the node's agent has announced itself
	annType                      // the backend
	annPublic                    // the address under which peers reach the node
	annPublic6
	annData // backend data, JSON, of IPv4 and of IPv6
	annData6
	annKey       // weft's own: the host's public key for WireGuard, whatever the backend
	annOverwrite // what to announce as public-ip in place of the host's own
	annOverwrite6
	annNode // what --public-ip and --public-ipv6 say, for this node
	annNode6

	annotationCount
	annotationsWritten = annOverwrite // how many of them an agent writes
)

var annotationNames = [annotationCount]string{
	"kube-subnet-manager", "backend-type", "public-ip", "public-ipv6", "backend-data", "backend-v6-data",
	"weft-wireguard-key",
	"public-ip-overwrite", "public-ipv6-overwrite", "node-public-ip", "node-public-ipv6",
}

// annotations are the values of the annotations, "" for one that is not there.
type annotations [annotationCount]string

// annotationKeys are the full names of the annotations.
type annotationKeys [annotationCount]string

// prefixForm is the beginning of an annotation's name: a domain, a slash and the
// beginning of the part after it.
var prefixForm = regexp.MustCompile(`^([a-z0-9_-]+\.)+[a-z0-9_-]+/([a-z0-9_-]+-)?$`)

// newAnnotationKeys returns the names of the annotations that begin with prefix, by
// flannel's rule: without a slash in it one is appended, and a prefix that
// ends neither in a slash nor in a hyphen gets a hyphen.
func newAnnotationKeys(prefix string) (annotationKeys, error) {
	full := prefix
	if !strings.Contains(full, "/") {
		full += "/"
	}
	if !strings.HasSuffix(full, "/") && !strings.HasSuffix(full, "-") {
		full += "-"
	}
	if !prefixForm.MatchString(full) {
		return annotationKeys{}, fmt.Errorf("must be a domain name, or one with a slash and the beginning of a name in lower case, such as %s or example.com/blue", DefaultPrefix)
	}
	var k annotationKeys
	for i, name := range annotationNames {
		k[i] = full + name
	}
	return k, nil
}

// CheckPrefix fails for a prefix that cannot begin the names of annotations.
func CheckPrefix(prefix string) error {
	_, err := newAnnotationKeys(prefix)
	return err
}

// find returns the annotation whose name is key.
func (k *annotationKeys) find(key []byte) (annotation, bool) {
	for i := range k {
		if string(key) == k[i] {
			return annotation(i), true
		}
	}
	return 0, false
}
