package lab_test

import (
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/lab"
)

// TestAShellFindsTheLabsOwnBinary looks at the path of a host's processes.
func TestAShellFindsTheLabsOwnBinary(t *testing.T) {
	l, err := lab.New(lab.Demo(), lab.Options{Binary: "/opt/weft/bin/weft"})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	base := []string{"HOME=/root", "PATH=/usr/bin:/bin"}
	env := host(t, l, "h1").Env(base)
	if !slices.Contains(env, "PATH=/opt/weft/bin:/usr/bin:/bin") || base[1] != "PATH=/usr/bin:/bin" {
		t.Errorf("the environment %v of %v", env, base)
	}
}
