// Package plugins lists the CNI plugin types that weft has. It only wires them
// up; each is a package of its own, and no other code belongs here.
package plugins

import (
	"context"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/flannel"
	"github.com/weft-net/weft/internal/cni/ptp"
)

// Main serves the call of a container runtime and returns the exit code.
func Main(ctx context.Context) int {
	return cni.Main(ctx, cni.System(), map[string]cni.Plugin{
		"flannel": flannel.Plugin{},
		"weft":    ptp.Plugin{},
	})
}
