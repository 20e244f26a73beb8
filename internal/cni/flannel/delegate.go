package flannel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/types/create"

	"github.com/weft-net/weft/internal/cni"
)

// delegate is the plugin that serves the calls.
type delegate struct {
	kind   string
	config object
}

func newDelegate(config object) (delegate, error) {
	kind, err := typeOf(config)
	return delegate{kind: kind, config: config}, err
}

// add delegates the call r, an ADD.
func (d delegate) add(ctx context.Context, r cni.Request) (types.Result, error) {
	answer, err := d.call(ctx, r)
	if err != nil {
		return nil, err
	}
	result, err := resultOf(answer, r.Version)
	if err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, fmt.Sprintf("the answer of the plugin %s to %s is not a result: %v", d.kind, r.Command, err), string(answer))
	}
	return result, nil
}

// resultOf reads the answer to an ADD. Plugins from before CNI 0.3 may omit its
// version, which is then the config's.
func resultOf(answer []byte, configVersion string) (types.Result, error) {
	var fields struct {
		CNIVersion string `json:"cniVersion"`
	}
	if err := json.Unmarshal(answer, &fields); err != nil {
		return nil, err
	}
	if fields.CNIVersion != "" {
		return create.Create(fields.CNIVersion, answer)
	}
	whole := object{}
	if err := json.Unmarshal(answer, &whole); err != nil || whole == nil {
		return nil, errors.Join(err, errors.New("it is empty"))
	}
	whole["cniVersion"], _ = json.Marshal(configVersion) // a string can always be expressed
	answer, err := json.Marshal(whole)
	if err != nil {
		return nil, err
	}
	return create.Create(configVersion, answer)
}

// do delegates the call r, which has no result.
func (d delegate) do(ctx context.Context, r cni.Request) error {
	_, err := d.call(ctx, r)
	return err
}

// call runs the delegate for the call r, with its own config, and returns what
// it printed. An error keeps the delegate's code.
func (d delegate) call(ctx context.Context, r cni.Request) (answer []byte, err error) {
	path, err := d.program(r.Path)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(d.config)
	if err != nil {
		return nil, err
	}
	answer, err = run(ctx, path, config, append(os.Environ(),
		"CNI_COMMAND="+r.Command,
		"CNI_CONTAINERID="+r.ContainerID,
		"CNI_NETNS="+r.Netns,
		"CNI_IFNAME="+r.IfName,
		"CNI_ARGS="+r.Args,
		"CNI_PATH="+r.Path))
	if err == nil {
		return answer, nil
	}
	theirs := types.Error{Code: types.ErrInternal, Msg: err.Error()}
	if _, short := errors.AsType[*cutShort](err); short {
		theirs.Code, answer = types.ErrTryAgainLater, nil
	}
	_ = json.Unmarshal(answer, &theirs) // a plugin that crashes may print anything
	return nil, types.NewError(theirs.Code, fmt.Sprintf("%s, delegated to the plugin %s: %s", r.Command, d.kind, theirs.Msg), theirs.Details)
}

// program is the path of the delegate's program in one of dirs, a list in the
// form of CNI_PATH.
func (d delegate) program(dirs string) (string, error) {
	for _, dir := range filepath.SplitList(dirs) {
		path := filepath.Join(dir, d.kind)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", &missing{types.NewError(types.ErrPluginNotAvailable,
		fmt.Sprintf("type flannel delegates to the plugin %q, which is not in CNI_PATH=%s", d.kind, dirs),
		"install the containernetworking plugins there, or use type weft, which needs no other plugin")}
}

// missing says that there is no program of the delegate's type.
type missing struct{ err *types.Error }

func (e *missing) Error() string { return e.err.Error() }
func (e *missing) Unwrap() error { return e.err }
