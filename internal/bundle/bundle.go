// Package bundle is the archive that goes with a bug report: named texts in one .tar.gz.
// What is in them is the caller's part, but for secrets, which are struck out here.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"time"
)

// Part is a file of the archive.
type Part struct {
	Name string // with a slash where it is in a folder
	Data []byte
}

// Manifest says what is in an archive. It is the part called ManifestName.
type Manifest struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Version    string    `json:"version"` // of the program that made the archive
	Host       string    `json:"host"`
	Made       time.Time `json:"made"`
	Agent      bool      `json:"agent"`   // an agent ran and was asked
	Missing    []string  `json:"missing"` // what could not be had, and why
}

// Names of parts that are read back.
const (
	ManifestName = "manifest.json"
	KernelName   = "kernel.json"
	StatusName   = "status.json"
	PlanName     = "plan.txt"
)

// Write writes the parts to w, below the folder dir.
func Write(w io.Writer, dir string, made time.Time, parts []Part) error {
	zip := gzip.NewWriter(w)
	out := tar.NewWriter(zip)
	for _, p := range parts {
		head := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(dir, p.Name), Mode: 0o600, Size: int64(len(p.Data)), ModTime: made}
		if err := out.WriteHeader(head); err != nil {
			return fmt.Errorf("write %s: %w", p.Name, err)
		}
		if _, err := out.Write(p.Data); err != nil {
			return fmt.Errorf("write %s: %w", p.Name, err)
		}
	}
	return errors.Join(out.Close(), zip.Close())
}

// maxPart is how large a part may be that is read, in bytes.
const maxPart = 512 << 20

// Read returns the parts of an archive by their names without the folder's.
func Read(r io.Reader) (map[string][]byte, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("not an archive of 'weft bundle': %w", err)
	}
	parts := map[string][]byte{}
	for in := tar.NewReader(zip); ; {
		head, err := in.Next()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the archive: %w", err)
		}
		data, err := io.ReadAll(io.LimitReader(in, maxPart+1))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", head.Name, err)
		}
		if len(data) > maxPart {
			return nil, fmt.Errorf("%s has more than %d bytes", head.Name, maxPart)
		}
		name := head.Name
		if i := bytes.IndexByte([]byte(name), '/'); i >= 0 {
			name = name[i+1:]
		}
		parts[name] = data
	}
}

// struck takes the place of a secret.
const struck = "<removed>"

// userInfo matches a name and password in a URL.
var userInfo = regexp.MustCompile(`://[^/\s"@]+@`)

// presharedKey matches the value of a config's PSK, also where the config is a string in
// another document.
var presharedKey = regexp.MustCompile(`(?i)(\\?"psk\\?"\s*:\s*\\?")(?:[^"\\]|\\/)*`)

// Redact strikes out secrets, and what may be one: a name and password in a URL, and the
// preshared key of a network config.
func Redact(data []byte, secrets ...string) []byte {
	for _, s := range secrets {
		if s != "" {
			data = bytes.ReplaceAll(data, []byte(s), []byte(struck))
		}
	}
	data = presharedKey.ReplaceAll(data, []byte("${1}"+struck))
	return userInfo.ReplaceAll(data, []byte("://"+struck+"@"))
}
