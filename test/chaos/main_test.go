package chaos

import (
	"os"
	"testing"

	"github.com/weft-net/weft/test/labmain"
)

func TestMain(m *testing.M) { os.Exit(labmain.Main(m, "chaos")) }
