package flannel

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/cni"
)

// defaultIfName is the interface that a record of flannel's plugin is assumed
// to describe: runtimes give a container's first interface this name.
const defaultIfName = "eth0"

// GC deletes the containers of the network that have a record and are not
// valid, and then calls the delegate's GC for what has no record.
func (Plugin) GC(ctx context.Context, r cni.Request) error {
	c, err := parse(r.Config)
	if err != nil {
		return err
	}
	stale, err := stale(c, r)
	errs := []error{err}
	for _, made := range stale {
		del := r
		del.Command, del.ContainerID, del.IfName, del.Netns = "DEL", made.containerID(), cmp.Or(made.ifName, defaultIfName), ""
		errs = append(errs, c.drop(ctx, del, made))
	}
	return errors.Join(append(errs, c.delegateGC(ctx, r))...)
}

// stale are the records of the network's containers that are not valid. One
// that cannot be read is an error, and the rest are returned all the same.
func stale(c config, r cni.Request) (stale []record, err error) {
	records, err := recordsIn(c.DataDir)
	for _, made := range records {
		if made.network() == r.Network && !valid(made, r.Valid) {
			stale = append(stale, made)
		}
	}
	return stale, err
}

// valid reports whether the record's interface is valid. A record without an
// interface is valid if the container is.
func valid(made record, all []types.GCAttachment) bool {
	return slices.ContainsFunc(all, func(a types.GCAttachment) bool {
		return a.ContainerID == made.containerID() && (a.IfName == made.ifName || made.ifName == "")
	})
}

// delegateGC delegates the GC. Without a subnet of this host there is no config
// for it, and it is left to the next GC.
func (c config) delegateGC(ctx context.Context, r cni.Request) error {
	conf, err := c.forDelegate()
	if known, ok := errors.AsType[*types.Error](err); ok && known.Code == types.ErrTryAgainLater {
		return nil
	}
	if err != nil {
		return err
	}
	valid, err := json.Marshal(r.Valid)
	if err != nil {
		return err
	}
	conf["cni.dev/valid-attachments"], conf["cni.dev/attachments"] = valid, valid
	d, err := newDelegate(conf)
	if err != nil {
		return err
	}
	return d.do(ctx, r)
}
