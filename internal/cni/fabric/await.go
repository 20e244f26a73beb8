package fabric

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/subnetenv"
)

// subnetTimeout bounds the wait for the agent's first lease. On a new node the
// runtime asks for containers as soon as the plugin's config is there, some
// seconds before the lease; after a failure it pauses longer than this.
const subnetTimeout = 10 * time.Second

// Await returns what read returns, which is Subnets of path or stricter. While
// that is an error to be tried again later it waits for the agent to write the
// file, for subnetTimeout at most.
func Await(ctx context.Context, path string, read func() (subnetenv.Env, error)) (subnetenv.Env, error) {
	env, err := read()
	if later(err) == nil {
		return env, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, subnetTimeout, errors.New("waited "+subnetTimeout.String()+" for the agent"))
	defer cancel()
	w := newWatcher(path)
	defer w.close()
	for {
		w.follow()
		env, err = read()
		again := later(err)
		if again == nil {
			return env, err
		}
		if !w.wait(ctx) {
			return env, types.NewError(again.Code, again.Msg, fmt.Sprintf("%s (%v)", again.Details, context.Cause(ctx)))
		}
	}
}

// later returns err if it ends when the agent starts, else nil.
func later(err error) *types.Error {
	if known, ok := errors.AsType[*types.Error](err); ok && known.Code == types.ErrTryAgainLater {
		return known
	}
	return nil
}
