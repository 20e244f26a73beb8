// Package fabric tells a CNI plugin the state of weft's agent on this host:
// which subnets the host has leased, from subnet.env, and whether the agent is
// ready, from its socket. Errors say what an operator should check. It needs a
// running agent for nothing but the latter, and must not change anything.
package fabric

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/subnetenv"
)

// Default paths of a plugin's config.
const (
	SubnetFile = "/run/flannel/subnet.env" // key subnetFile
	RunDir     = "/run/weft"               // key runDir: of the agent's socket
)

// Subnets reads the subnet file at path. A file that is missing, invalid or
// without a subnet is a *types.Error, with code 11 (try again later) if the
// agent will write what is missing when it starts.
func Subnets(path string) (subnetenv.Env, error) {
	env, err := subnetenv.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return env, types.NewError(types.ErrTryAgainLater, "there is no "+path+", so this host has no subnet yet: is the weft agent running here?", "ask it with: weft status")
	case err != nil:
		return env, types.NewError(types.ErrIOFailure, fmt.Sprintf("read this host's subnet: %v", err), "the weft agent writes the file again when it starts; ask it with: weft status")
	case len(env.Subnets) == 0:
		return env, types.NewError(types.ErrTryAgainLater, path+" names no subnet of this host", "the weft agent writes it when it has its lease; ask it with: weft status")
	case env.MTU <= 0:
		return env, types.NewError(types.ErrTryAgainLater, path+" has no valid FLANNEL_MTU", "the weft agent writes the file again when it starts; ask it with: weft status")
	}
	return env, nil
}
