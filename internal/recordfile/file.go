// Package recordfile keeps records, a JSON value for each key, in one file that
// survives a loss of power at any moment. A change is appended, so that it
// costs what changed; a record that was damaged costs itself and no other. It
// knows nothing of what the records mean.
package recordfile

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
)

// Record is a key and its value; nil removes the key.
type Record struct {
	Key   string
	Value json.RawMessage
}

// line is a record as it is written behind its checksum.
type line struct {
	Key   string          `json:"k"`
	Value json.RawMessage `json:"v,omitempty"`
}

// versionKey is that of the record which tells the format's version.
const versionKey = "version"

// table is that of Castagnoli's polynomial, which processors compute.
var table = crc32.MakeTable(crc32.Castagnoli)

// Read returns the records of the file at path, and what of it could not be
// read. A file that is not there has none.
func Read(path string) (map[string]json.RawMessage, []error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []error{err}
	}
	records := map[string]json.RawMessage{}
	damaged := 0
	for text := range bytes.Lines(data) {
		l, ok := parse(text)
		switch {
		case !ok:
			damaged++
		case l.Value == nil:
			delete(records, l.Key)
		default:
			records[l.Key] = l.Value
		}
	}
	delete(records, versionKey)
	if damaged > 0 {
		return records, []error{fmt.Errorf("%s: %d of its lines are damaged and were left out", path, damaged)}
	}
	return records, nil
}

// parse reads a line: a checksum in eight hexadecimal digits, a blank, JSON.
func parse(text []byte) (line, bool) {
	var l line
	sum, body, ok := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte(" "))
	if !ok || !bytes.Equal(sum, checksum(body)) {
		return l, false
	}
	err := json.Unmarshal(body, &l)
	return l, err == nil && l.Key != ""
}

func checksum(body []byte) []byte {
	sum := crc32.Checksum(body, table)
	return hex.AppendEncode(nil, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

func (r Record) appendTo(out []byte) ([]byte, error) {
	body, err := json.Marshal(line(r))
	if err != nil {
		return out, err
	}
	out = append(append(out, checksum(body)...), ' ')
	return append(append(out, body...), '\n'), nil
}

// Writer changes a file. It is for one goroutine.
type Writer struct {
	path    string
	version int
	live    map[string]int // bytes that each key takes up
	size    int            // bytes of the file
	used    int            // the sum of live
	file    *os.File       // to append to; nil: it has to be written anew
}

// NewWriter returns a writer of the file at path, in a format of that version.
// The first Write makes the file anew.
func NewWriter(path string, version int) *Writer {
	return &Writer{path: path, version: version, live: map[string]int{}}
}

// slack is how many bytes of superseded records a file may hold beyond as many
// as it needs.
const slack = 64 << 10

// Write makes changes last, on disk when it returns. all gives every record
// with changes made, should the file have to be written anew: when it is new,
// when much of it is superseded, and after a failure.
func (w *Writer) Write(changes []Record, all func() []Record) error {
	if w.file == nil || w.size > 2*w.used+slack {
		return w.rewrite(all())
	}
	if len(changes) == 0 {
		return nil
	}
	var out []byte
	for _, r := range changes {
		var err error
		before := len(out)
		if out, err = r.appendTo(out); err != nil {
			return err
		}
		w.count(r, len(out)-before)
	}
	_, err := w.file.Write(out)
	if err == nil {
		err = w.file.Sync()
	}
	w.size += len(out)
	if err != nil {
		return errors.Join(err, w.Close()) // how much of it arrived is not known
	}
	return nil
}

func (w *Writer) count(r Record, size int) {
	w.used -= w.live[r.Key]
	delete(w.live, r.Key)
	if r.Value != nil {
		w.live[r.Key] = size
		w.used += size
	}
}

// rewrite puts a new file in the old one's place.
func (w *Writer) rewrite(all []Record) error {
	if err := w.Close(); err != nil {
		return err
	}
	version, err := json.Marshal(w.version)
	if err != nil {
		return err
	}
	w.used, w.live = 0, make(map[string]int, len(all))
	var out []byte
	for _, r := range append([]Record{{versionKey, version}}, all...) {
		before := len(out)
		if out, err = r.appendTo(out); err != nil {
			return err
		}
		w.count(r, len(out)-before)
	}
	if err := Replace(w.path, out); err != nil {
		return err
	}
	w.size = len(out)
	w.file, err = os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND, 0)
	return err
}

// Replace puts a file of data in the place of the one at path, for its owner
// alone. Its error does not name the temporary file, so that the same fault
// reads the same at each try.
func Replace(path string, data []byte) error {
	err := renameio.WriteFile(path, data, 0o600)
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("write %s: %w", path, cause.Err)
	}
	return err
}

// Close closes the file. A later Write makes it anew.
func (w *Writer) Close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}
