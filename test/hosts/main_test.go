package hosts

import (
	"flag"
	"os"
	"testing"

	"github.com/weft-net/weft/test/labmain"
)

// full is what make test-hosts-full sets.
var full = flag.Bool("hosts.full", false, "try every family alone as well, and every backend as the first one")

func TestMain(m *testing.M) {
	// A trial mostly waits for programs: more of them at a time than there are processors.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(labmain.Main(m, "hosts"))
}
