package flannel

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/fabric"
)

// Status fails if an Add would fail now, or its container not be reachable.
func (Plugin) Status(ctx context.Context, r cni.Request) error {
	c, err := parse(r.Config)
	if err != nil {
		return err
	}
	conf, err := c.forDelegate()
	if err != nil {
		return fabric.Unavailable(err)
	}
	if err := c.agentStatus(ctx); err != nil {
		return err
	}
	d, err := newDelegate(conf)
	if err != nil {
		return err
	}
	return d.do(ctx, r)
}

// agentStatus asks the agent. Where weft's agent never ran, the subnet file is
// flanneld's, which has no status.
func (c config) agentStatus(ctx context.Context) error {
	if _, err := os.Stat(c.RunDir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fabric.Status(ctx, c.SubnetFile, c.RunDir)
}
