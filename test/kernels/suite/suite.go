// Package suite is what the runner tells a guest's init to run, and the lines
// by which init tells the runner how it went.
package suite

import (
	"encoding/json"
	"time"
)

// Suite is one test binary.
type Suite struct {
	Package string   // for the report
	Dir     string   // working directory: tests find their testdata there
	Binary  string   // path in the guest
	Args    []string // of the binary
	Boot    int      // in which boot of the guest it runs, from 1
}

// Plan is all that a guest runs.
type Plan struct {
	Modules []string // to load: those that a test in a user namespace cannot cause to be loaded
	Env     []string // of the tests, beside what the guest sets
	Limit   time.Duration
	Suites  []Suite
}

// BootVariable has the number of the boot, in the kernel's command line and in
// init's environment.
const BootVariable = "weft_boot"

// Disk is the folder that outlives a boot.
const Disk = "/disk"

// File is where the guest finds its plan.
const File = "/weft/plan.json"

// Prefixes of the lines that init writes to the console between the output of
// tests.
const (
	Begin = "weft-guest begin " // PACKAGE
	End   = "weft-guest end "   // PACKAGE EXIT-CODE SECONDS
	Done  = "weft-guest done"
)

// Encode writes a plan.
func (p Plan) Encode() ([]byte, error) { return json.MarshalIndent(p, "", "\t") }

// Decode reads it.
func Decode(text []byte) (p Plan, err error) { return p, json.Unmarshal(text, &p) }
