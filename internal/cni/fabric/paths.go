package fabric

import (
	"fmt"
	"path/filepath"

	"github.com/containernetworking/cni/pkg/types"
)

// Paths are the paths on the host in the configs of all plugin types. All are
// absolute.
type Paths struct {
	SubnetFile string `json:"subnetFile"` // that the agent writes
	DataDir    string `json:"dataDir"`    // of the plugin's records
	RunDir     string `json:"runDir"`     // of the agent's socket; flannel has no such key
}

// DefaultPaths are the paths of a config that names none, of a plugin whose
// records are in dataDir.
func DefaultPaths(dataDir string) Paths {
	return Paths{SubnetFile: SubnetFile, DataDir: dataDir, RunDir: RunDir}
}

// Check refuses a path that is not absolute, with the spec's code for a config
// that is not valid.
func (p Paths) Check() error {
	for _, at := range []struct{ key, path string }{{"subnetFile", p.SubnetFile}, {"dataDir", p.DataDir}, {"runDir", p.RunDir}} {
		if !filepath.IsAbs(at.path) {
			return types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf("%s of the config is %q; it must be a path that begins with /", at.key, at.path), "")
		}
	}
	return nil
}
