package hostlock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxRecord is more than any agent writes, in bytes.
const maxRecord = 1 << 20

// record is the content of an agent's file.
type record struct {
	PID      int    `json:"pid"`
	PIDSpace string `json:"pidNamespace"` // which PID is a number of
	StateDir string `json:"stateDirectory"`
	Things
}

// newRecord is about this process.
func newRecord(stateDir string, t Things) record {
	return record{PID: os.Getpid(), PIDSpace: pidSpace(), StateDir: stateDir, Things: t}
}

// pidSpace names the PID namespace of this process, "" if that is not told.
func pidSpace() string {
	name, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return name
}

func (r record) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	return append(data, '\n'), err
}

func readRecord(f io.Reader) (r record, err error) {
	data, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return record{}, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, err
	}
	if r.PID <= 0 {
		return record{}, errors.New("it names no process")
	}
	return r, nil
}

// agent names the agent that wrote r, for people.
func (r record) agent() string {
	where := ""
	if r.PIDSpace != pidSpace() {
		where = " in another PID namespace"
	}
	return fmt.Sprintf("another agent on this host (process %d%s, state directory %s)", r.PID, where, r.StateDir)
}
