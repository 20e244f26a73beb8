package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/weft-net/weft/internal/store/kube"
)

// recordName is the file in the run directory in which an agent records its
// store's address. It counts only while the agent runs.
const recordName = "store.json"

// storeRecord is that file's content. It holds no password.
type storeRecord struct {
	Endpoints []string `json:"endpoints"`
	Prefix    string   `json:"prefix"`
	CAFile    string   `json:"caFile,omitempty"`
	CertFile  string   `json:"certFile,omitempty"`
	KeyFile   string   `json:"keyFile,omitempty"`
	Username  string   `json:"username,omitempty"`

	Kubernetes *kubeRecord `json:"kubernetes,omitempty"`
}

// kubeRecord is the record of a store on Kubernetes, in place of the rest.
type kubeRecord struct {
	Kubeconfig string `json:"kubeconfig,omitempty"`
	APIURL     string `json:"apiURL,omitempty"`
	Prefix     string `json:"annotationPrefix"`
	Config     string `json:"config"`
	Node       string `json:"node,omitempty"`
	Pod        string `json:"pod,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
}

func recordOf(s storeSettings) storeRecord {
	if s.subnetMgr {
		return storeRecord{Kubernetes: &kubeRecord{
			Kubeconfig: absolute(s.kubeconfig), APIURL: s.apiURL, Prefix: s.annotationPrefix, Config: absolute(s.netConfigPath),
			Node: s.self.Node, Pod: s.self.Pod, Namespace: s.self.Namespace,
		}}
	}
	return storeRecord{
		Endpoints: s.endpoints, Prefix: s.prefix,
		CAFile: absolute(s.caFile), CertFile: absolute(s.certFile), KeyFile: absolute(s.keyFile),
		Username: s.username,
	}
}

// settings is the inverse of recordOf.
func (r storeRecord) settings() storeSettings {
	if k := r.Kubernetes; k != nil {
		return storeSettings{kubeSettings: kubeSettings{
			subnetMgr: true, kubeconfig: k.Kubeconfig, apiURL: k.APIURL, annotationPrefix: k.Prefix, netConfigPath: k.Config,
			self: kube.Self{Node: k.Node, Pod: k.Pod, Namespace: k.Namespace},
		}}
	}
	return storeSettings{
		endpoints: r.Endpoints, prefix: r.Prefix,
		caFile: r.CAFile, certFile: r.CertFile, keyFile: r.KeyFile,
	}
}

func writeRecord(runDir string, s storeSettings) error {
	doc, err := json.MarshalIndent(recordOf(s), "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return fmt.Errorf("make the run directory: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(runDir, recordName), append(doc, '\n'), 0o600); err != nil {
		return fmt.Errorf("record the store's address: %w", err)
	}
	return nil
}

// absolute makes a path independent of the directory the agent runs in.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); path != "" && err == nil {
		return abs
	}
	return path
}

// readRecord returns where the store of the agent of runDir is.
func readRecord(runDir string) (storeSettings, error) {
	file := filepath.Join(runDir, recordName)
	doc, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return storeSettings{}, withHint(fmt.Errorf("the agent of %s has not recorded its store's address: %s does not exist", runDir, file),
			"name the store with --etcd-endpoints")
	}
	if err != nil {
		return storeSettings{}, fmt.Errorf("read the record of the agent's store: %w", err)
	}
	var r storeRecord
	if err := json.Unmarshal(doc, &r); err != nil || len(r.Endpoints) == 0 && r.Kubernetes == nil {
		return storeSettings{}, withHint(fmt.Errorf("%s does not contain the address of the agent's store: %v", file, err),
			"name the store with --etcd-endpoints")
	}
	if r.Username != "" {
		return storeSettings{}, withHint(fmt.Errorf("the agent's etcd requires the password of %q, which the agent does not record", r.Username),
			"give --etcd-endpoints, --etcd-username and WEFT_ETCD_PASSWORD")
	}
	return r.settings(), nil
}
