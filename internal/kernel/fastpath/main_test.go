package fastpath

import (
	"os"
	"testing"

	"github.com/weft-net/weft/test/twohosts"
)

// Without root the tests that need it skip themselves.
func TestMain(m *testing.M) { os.Exit(twohosts.Main(m.Run)) }
