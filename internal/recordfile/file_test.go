package recordfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/recordfile"
)

func text(s string) json.RawMessage { return json.RawMessage(fmt.Sprintf("%q", s)) }

func list(m map[string]json.RawMessage) (out []recordfile.Record) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, recordfile.Record{Key: k, Value: m[k]})
	}
	return out
}

func same(a, b map[string]json.RawMessage) bool {
	return maps.EqualFunc(a, b, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) })
}

// Whatever was written, by writers one after the other, is read back, and the
// file stays in proportion to what it holds.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records")
	rng := rand.New(rand.NewPCG(1, 2))
	held := map[string]json.RawMessage{}
	for range 5 {
		w := recordfile.NewWriter(path, 1)
		for range 400 {
			var changes []recordfile.Record
			for range rng.IntN(4) {
				r := recordfile.Record{Key: fmt.Sprint("key", rng.IntN(50)), Value: text(fmt.Sprint(rng.Uint64()))}
				if rng.IntN(3) == 0 {
					r.Value = nil
					delete(held, r.Key)
				} else {
					held[r.Key] = r.Value
				}
				changes = append(changes, r)
			}
			if err := w.Write(changes, func() []recordfile.Record { return list(held) }); err != nil {
				t.Fatal(err)
			}
			got, errs := recordfile.Read(path)
			if len(errs) > 0 || !same(got, held) {
				t.Fatalf("read %v, %v; want %v", got, errs, held)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 80<<10 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// Damage anywhere costs the records of the damaged lines, and only those; a
// write that was cut off costs itself.
func TestDamageCostsOnlyItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records")
	held := map[string]json.RawMessage{}
	for i := range 40 {
		held[fmt.Sprint("key", i)] = text(fmt.Sprint("value ", i))
	}
	if err := recordfile.NewWriter(path, 1).Write(nil, func() []recordfile.Record { return list(held) }); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		checkDamage(t, path, damaged, held, 2)
		checkDamage(t, path, whole[:i], held, len(held))
	}
}

func checkDamage(t *testing.T, path string, data []byte, held map[string]json.RawMessage, most int) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got, _ := recordfile.Read(path)
	for k, v := range got {
		if !bytes.Equal(held[k], v) {
			t.Fatalf("read %s as %s, was %s", k, v, held[k])
		}
	}
	if lost := len(held) - len(got); lost > most {
		t.Fatalf("%d records lost", lost)
	}
}

func TestNoFileHasNoRecords(t *testing.T) {
	if got, errs := recordfile.Read(filepath.Join(t.TempDir(), "none")); len(got) != 0 || len(errs) != 0 {
		t.Errorf("%v, %v", got, errs)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("00000000 {\"k\":\"a\",\"v\":1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "records")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		recordfile.Read(path)
	})
}
