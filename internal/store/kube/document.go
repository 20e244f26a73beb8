package kube

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/weft-net/weft/internal/netconf"
)

// document is the network config as the file holds it.
type document struct {
	text     []byte // nil: never read
	revision int64  // of text; 0 if there is none
	err      error  // why the file cannot be read now; text is then the last good one
}

// maxDocument is the length of the longest config, in bytes; that of a ConfigMap.
const maxDocument = 1 << 20

// read returns the document in the file, or d with an error if it cannot be
// read.
func (d document) read(path string) document {
	text, err := readFile(path)
	if err != nil {
		d.err = err
		return d
	}
	text = assigned(text)
	return document{text: text, revision: revisionOf(text)}
}

// same reports whether snapshots show no difference between d and o.
func (d document) same(o document) bool {
	return bytes.Equal(d.text, o.text) && (d.err == nil) == (o.err == nil) && (d.err == nil || d.err.Error() == o.err.Error())
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the network config %s does not exist; mount the ConfigMap that holds it, or set --net-config-path", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the network config cannot be read: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the network config %s cannot be read: %w", path, err)
	case len(text) > maxDocument:
		return nil, fmt.Errorf("the network config %s is longer than %d bytes", path, maxDocument)
	case text == nil:
		text = []byte{}
	}
	return text, nil
}

// revisionOf is a number made of the text, since files have no revisions: hosts
// that read the same document show the same number. It fits into the integers
// of every JSON reader, 53 bits.
func revisionOf(text []byte) int64 {
	sum := sha256.Sum256(text)
	return int64(binary.BigEndian.Uint64(sum[:8])>>12) | 1
}

// ignored are the keys that say how a network is divided into subnets. On
// Kubernetes the controller manager does that, and flannel ignores them, too.
var ignored = []string{"SubnetLen", "SubnetMin", "SubnetMax", "IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax"}

// assigned returns the document without the keys that mean nothing where
// subnets are assigned, if it is valid only without them.
func assigned(text []byte) []byte {
	if _, err := netconf.Parse(text); err == nil {
		return text
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(text, &keys) != nil {
		return text
	}
	for key := range keys {
		for _, name := range ignored {
			if strings.EqualFold(key, name) {
				delete(keys, key)
			}
		}
	}
	bare, err := json.Marshal(keys)
	if err != nil {
		return text
	}
	if _, err := netconf.Parse(bare); err != nil {
		return text
	}
	return bare
}
