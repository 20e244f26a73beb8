package ptp

import (
	"encoding/json"
	"fmt"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/fabric"
)

// dataDir is where addresses are remembered unless the config says otherwise.
const dataDir = "/var/lib/cni/weft"

// config is the plugin's part of a CNI config.
type config struct {
	SubnetFile string `json:"subnetFile"`
	DataDir    string `json:"dataDir"`
	RunDir     string `json:"runDir"` // of the agent's socket

	DNS        types.DNS                  `json:"dns"` // handed on
	IPAM       struct{ Type string }      `json:"ipam"`
	PrevResult map[string]json.RawMessage `json:"prevResult"`
}

func parse(r cni.Request) (config, error) {
	c := config{SubnetFile: fabric.SubnetFile, DataDir: dataDir, RunDir: fabric.RunDir}
	if err := json.Unmarshal(r.Config, &c); err != nil {
		return c, types.NewError(types.ErrDecodingFailure, "read the config of type weft", err.Error())
	}
	if c.IPAM.Type != "" {
		return c, types.NewError(types.ErrUnsupportedField, fmt.Sprintf("the config of type weft has ipam.type %q", c.IPAM.Type),
			"the type gives out the addresses of the host's subnets itself: remove the key ipam")
	}
	return c, nil
}
