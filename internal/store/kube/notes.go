package kube

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultPrefix begins flannel's annotations.
const DefaultPrefix = "flannel.alpha.coreos.com"

// note is one of the annotations that matter, as an index.
type note int

// flannel's annotations. The first six are what an agent writes, the rest is
// an operator's.
const (
	noteManaged note = iota // "true": the node's agent has announced itself
	noteType                // the backend
	notePublic              // the address under which peers reach the node
	notePublic6
	noteData // backend data, JSON, of IPv4 and of IPv6
	noteData6
	noteOverwrite // what to announce as public-ip in place of the host's own
	noteOverwrite6
	noteNode // what --public-ip and --public-ipv6 say, for this node
	noteNode6

	noteCount
	notesWritten = noteOverwrite // how many of them an agent writes
)

var noteNames = [noteCount]string{
	"kube-subnet-manager", "backend-type", "public-ip", "public-ipv6", "backend-data", "backend-v6-data",
	"public-ip-overwrite", "public-ipv6-overwrite", "node-public-ip", "node-public-ipv6",
}

// notes are the values of the annotations, "" for one that is not there.
type notes [noteCount]string

// noteKeys are the full names of the annotations.
type noteKeys [noteCount]string

// prefixForm is a name as annotations have it: a domain, and after the slash
// the beginning of a name.
var prefixForm = regexp.MustCompile(`^([a-z0-9_-]+\.)+[a-z0-9_-]+/([a-z0-9_-]+-)?$`)

// newNoteKeys returns the names of the annotations that begin with prefix, by
// flannel's rule: without a slash in it one is appended, and a prefix that
// ends neither in a slash nor in a hyphen gets a hyphen.
func newNoteKeys(prefix string) (noteKeys, error) {
	full := prefix
	if !strings.Contains(full, "/") {
		full += "/"
	}
	if !strings.HasSuffix(full, "/") && !strings.HasSuffix(full, "-") {
		full += "-"
	}
	if !prefixForm.MatchString(full) {
		return noteKeys{}, fmt.Errorf("must be a domain name, or one with a slash and the beginning of a name in small letters, as in %s or example.com/blue", DefaultPrefix)
	}
	var k noteKeys
	for i, name := range noteNames {
		k[i] = full + name
	}
	return k, nil
}

// CheckPrefix refuses what cannot begin the names of annotations.
func CheckPrefix(prefix string) error {
	_, err := newNoteKeys(prefix)
	return err
}

// find returns which annotation has the name key.
func (k *noteKeys) find(key []byte) (note, bool) {
	for i := range k {
		if string(key) == k[i] {
			return note(i), true
		}
	}
	return 0, false
}
