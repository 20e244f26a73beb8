package flannel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/weft-net/weft/internal/cni"
)

// Del undoes Add. A container without a record has nothing to undo. If the
// delegate's program is missing or the record is damaged, Del succeeds with a
// warning, since otherwise the runtime could never delete the container, and
// the record is left to GC.
func (Plugin) Del(ctx context.Context, r cni.Request) error {
	c, err := parse(r.Config)
	if err != nil {
		return err
	}
	made, err := find(c.DataDir, r.ContainerID, r.IfName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if bad, ok := errors.AsType[*damaged](err); ok {
		c.dropDamaged(ctx, r, bad)
		return nil
	}
	if err != nil {
		return err
	}
	err = c.drop(ctx, r, made)
	if gone, ok := errors.AsType[*missing](err); ok {
		r.Warn(fmt.Errorf("container %s is not deleted by its delegate; the record %s is left to GC: %w", r.ContainerID, made.path, gone))
		return nil
	}
	return err
}

// drop has the delegate delete the container of a record, and removes the
// record, and the bridge's address in a previous subnet that nobody uses any
// more. If the delegate fails, the record stays for the next attempt.
func (c config) drop(ctx context.Context, r cni.Request, made record) error {
	d, err := newDelegate(made.delegate)
	if err != nil {
		return err
	}
	if err := d.do(ctx, r); err != nil {
		return err
	}
	err = made.remove()
	if err == nil {
		c.retire(r, made)
	}
	return err
}

// dropDamaged deletes a container whose record cannot be read. It assumes the
// current config, which is most likely what the record had.
func (c config) dropDamaged(ctx context.Context, r cni.Request, bad *damaged) {
	conf, err := c.forDelegate()
	if err == nil {
		err = c.drop(ctx, r, record{path: bad.path, delegate: conf})
	}
	if err != nil {
		r.Warn(fmt.Errorf("container %s is not deleted by its delegate: %w; and by the current config: %w", r.ContainerID, bad, err))
	}
}
