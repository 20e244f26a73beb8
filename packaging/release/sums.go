package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sums writes SHA256SUMS, which 'sha256sum --check' reads.
func (r *release) sums() error {
	slices.Sort(r.written)
	var text strings.Builder
	for _, name := range r.written {
		data, err := os.ReadFile(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(data), name)
	}
	return writeFile(filepath.Join(r.out, "SHA256SUMS"), []byte(text.String()))
}
