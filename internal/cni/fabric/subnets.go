// Package fabric tells a CNI plugin what weft's agent has to say on this host:
// which subnets the host has leased, from subnet.env, and whether the agent is
// ready, from its socket. Errors say what an operator should look at. It needs
// no running agent but to say how that one is.
package fabric

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/subnetenv"
)

// Where things are unless a plugin's config says otherwise.
const (
	SubnetFile = "/run/flannel/subnet.env" // key subnetFile
	RunDir     = "/run/weft"               // key runDir: of the agent's socket
)

// Subnets reads what the agent wrote to the subnet file at path. A file that
// is missing, broken or without a subnet is a *types.Error: code 11, try
// again later, where an agent that starts will mend it.
func Subnets(path string) (subnetenv.Env, error) {
	env, err := subnetenv.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return env, types.NewError(types.ErrTryAgainLater, "there is no "+path+", so this host has no subnet yet: is the weft agent running here?", "ask it with: weft status")
	case err != nil:
		return env, types.NewError(types.ErrIOFailure, fmt.Sprintf("read this host's subnet: %v", err), "the weft agent writes the file anew when it starts; ask it with: weft status")
	case len(env.Subnets) == 0:
		return env, types.NewError(types.ErrTryAgainLater, path+" names no subnet of this host", "the weft agent writes it when it has its lease; ask it with: weft status")
	case env.MTU <= 0:
		return env, types.NewError(types.ErrTryAgainLater, path+" does not say FLANNEL_MTU, how many bytes a packet may have", "the weft agent writes the file anew when it starts; ask it with: weft status")
	}
	return env, nil
}
