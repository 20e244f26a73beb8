package flannel

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/cni/fabric"
)

// object is a JSON object whose values are passed on unchanged.
type object = map[string]json.RawMessage

// dataDir is where records are unless the config says otherwise.
const dataDir = "/var/lib/cni/flannel"

// config is the plugin's config, of which flannel's documentation for its
// plugin says what each key is for.
type config struct {
	CNIVersion string `json:"cniVersion"`
	Name       string `json:"name"`
	fabric.Paths
	IPAM          object          `json:"ipam"`     // of the delegate; its ranges are the host's subnets
	Delegate      object          `json:"delegate"` // the delegate's config, less name and ipam
	RuntimeConfig json.RawMessage `json:"runtimeConfig"`
	PrevResult    json.RawMessage `json:"prevResult"`
}

func parse(text []byte) (config, error) {
	c := config{Paths: fabric.DefaultPaths(dataDir)}
	if err := json.Unmarshal(text, &c); err != nil {
		return config{}, types.NewError(types.ErrDecodingFailure, "the config of type flannel cannot be read", err.Error())
	}
	if err := c.Paths.Check(); err != nil {
		return config{}, err
	}
	return c, nil
}

// delegateType is the type of the delegate.
func (c config) delegateType() (string, error) {
	if c.Delegate["type"] == nil {
		return "bridge", nil
	}
	return typeOf(c.Delegate)
}

// typeOf is the type that the config of a delegate names.
func typeOf(delegate object) (kind string, err error) {
	if err := json.Unmarshal(delegate["type"], &kind); err != nil || kind == "" || strings.Contains(kind, "/") {
		return "", invalid("the delegate's type is %s; it must be the name of a plugin, as \"bridge\"", delegate["type"])
	}
	if kind == "flannel" {
		return "", invalid("the delegate's type is flannel itself; it must be another plugin's, as \"bridge\"")
	}
	return kind, nil
}

func invalid(format string, args ...any) error {
	return types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf(format, args...), "")
}
