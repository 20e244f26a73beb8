package flannel

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/fabric"
)

// Status tells whether an Add would succeed now, and its container be reached.
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

// agentStatus asks the agent. Where weft's never ran the subnet file is
// flanneld's, which has nothing more to say.
func (c config) agentStatus(ctx context.Context) error {
	if _, err := os.Stat(c.RunDir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fabric.Status(ctx, c.SubnetFile, c.RunDir)
}
