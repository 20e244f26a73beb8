package flannel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/fabric"
	"github.com/weft-net/weft/internal/subnetenv"
)

// Plugin is the type's cni.Plugin.
type Plugin struct{}

// undoTimeout bounds the deletion of what a failed ADD left.
const undoTimeout = 10 * time.Second

// Add records the delegate's config and has it connect the container.
func (Plugin) Add(ctx context.Context, r cni.Request) (types.Result, error) {
	c, err := parse(r.Config)
	if err != nil {
		return nil, err
	}
	env, err := fabric.Await(ctx, c.SubnetFile, c.subnets)
	if err != nil {
		return nil, err
	}
	conf, err := c.delegateConfig(env)
	if err != nil {
		return nil, err
	}
	if _, err := newDelegate(conf); err != nil {
		return nil, err
	}
	made := record{path: recordPath(c.DataDir, r.ContainerID, r.IfName, c.Name), ifName: r.IfName, delegate: conf}
	before, err := read(made.path)
	again := err == nil
	if err := made.write(); err != nil {
		return nil, err
	}
	result, err := add(ctx, r, conf)
	if err == nil {
		return result, nil
	}
	if again {
		// The container was added before and must keep its record.
		return nil, errors.Join(err, before.write())
	}
	// A failed ADD is rolled back at once. If that fails, too, the record stays
	// for the runtime's DEL; the first error is the more useful one.
	r.Command = "DEL"
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	_ = c.drop(undo, r, made)
	return nil, err
}

// add has the delegate connect the container, as conf says.
func add(ctx context.Context, r cni.Request, conf object) (types.Result, error) {
	conf, err := makeRoom(conf)
	if err != nil {
		return nil, types.NewError(types.ErrIOFailure, "give the bridge of the containers its address in this host's subnet: "+err.Error(), "")
	}
	return addApart(ctx, r, conf)
}

// Check has the delegate compare a container with the result of its Add.
func (Plugin) Check(ctx context.Context, r cni.Request) error {
	c, err := parse(r.Config)
	if err != nil {
		return err
	}
	made, err := find(c.DataDir, r.ContainerID, r.IfName)
	if errors.Is(err, fs.ErrNotExist) {
		return types.NewError(types.ErrUnknownContainer,
			fmt.Sprintf("there is no record in %s of the interface %s of container %s", c.DataDir, r.IfName, r.ContainerID),
			"it was never added, or was deleted")
	}
	if err != nil {
		return err
	}
	// The runtime converts the result of ADD to the version of the current
	// config, whichever version the container was added with.
	made.delegate["cniVersion"], _ = json.Marshal(r.Version) // a string can always be expressed
	if present(c.PrevResult) {
		made.delegate["prevResult"] = c.PrevResult
	}
	d, err := newDelegate(made.delegate)
	if err != nil {
		return err
	}
	return d.do(ctx, r)
}

// forDelegate is the delegate's config for a container to be added now.
func (c config) forDelegate() (conf object, err error) {
	env, err := c.subnets()
	if err != nil {
		return nil, err
	}
	return c.delegateConfig(env)
}

// subnets reads the subnet file, which for this type must name the network.
func (c config) subnets() (subnetenv.Env, error) {
	env, err := fabric.Subnets(c.SubnetFile)
	if err == nil && len(env.Networks) == 0 {
		err = types.NewError(types.ErrTryAgainLater, c.SubnetFile+" does not name the network", "the weft agent writes the file again when it starts; ask it with: weft status")
	}
	return env, err
}

func (c config) delegateConfig(env subnetenv.Env) (conf object, err error) {
	text, err := render(c, env)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &conf)
	return conf, err
}
