package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
)

// attachment is how a pod was put into the network by CNI.
type attachment struct {
	config  *libcni.NetworkConfigList
	runtime *libcni.RuntimeConf
}

// AddPodCNI starts a pod on the host as a container runtime with CNI does: the plugins of conflist,
// a network configuration list, run on the host and give the pod its interface and addresses. The
// types flannel and weft are the lab's own binary, others come from Options.CNI. Conflist makes a
// usual one. A host should have pods of AddPod or of AddPodCNI, not both.
func (h *Host) AddPodCNI(ctx context.Context, name string, conflist []byte) (*Pod, error) {
	config, err := libcni.NetworkConfFromBytes(conflist)
	if err != nil {
		return nil, fmt.Errorf("pod %s: %w", name, err)
	}
	runtime, err := h.cniRuntime()
	if err != nil {
		return nil, fmt.Errorf("pod %s: %w", name, err)
	}
	node, err := newNode(name)
	if err != nil {
		return nil, err
	}
	pod := &Pod{Node: node, Host: h, attached: &attachment{
		config:  config,
		runtime: &libcni.RuntimeConf{ContainerID: h.Name + "-" + name, NetNS: node.NetnsPath(), IfName: Uplink},
	}}
	result, err := runtime.AddNetworkList(ctx, config, pod.attached.runtime)
	if err == nil {
		pod.Addrs, err = addrsOf(result)
	}
	if err != nil { // as runtimes do: what is half done is deleted
		err = fmt.Errorf("pod %s: CNI ADD: %w", name, err)
		return nil, errors.Join(err, runtime.DelNetworkList(ctx, config, pod.attached.runtime), node.ns.Close())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pods = append(h.pods, pod)
	return pod, nil
}

// CheckCNI has the plugins compare a pod of AddPodCNI with what they made of it.
func (p *Pod) CheckCNI(ctx context.Context) error {
	runtime, err := p.Host.cniRuntime()
	if err != nil {
		return err
	}
	if err := runtime.CheckNetworkList(ctx, p.attached.config, p.attached.runtime); err != nil {
		return fmt.Errorf("pod %s: CNI CHECK: %w", p.Name, err)
	}
	return nil
}

// DeleteCNI has the plugins take a pod of AddPodCNI out of the network, and ends it.
func (p *Pod) DeleteCNI(ctx context.Context) error {
	runtime, err := p.Host.cniRuntime()
	if err != nil {
		return err
	}
	if err := runtime.DelNetworkList(ctx, p.attached.config, p.attached.runtime); err != nil {
		return fmt.Errorf("pod %s: CNI DEL: %w", p.Name, err)
	}
	p.Host.mu.Lock()
	defer p.Host.mu.Unlock()
	p.Host.pods = slices.DeleteFunc(p.Host.pods, func(other *Pod) bool { return other == p })
	return p.ns.Close()
}

// CNIStatus has the plugins of conflist tell whether a pod could be added now.
func (h *Host) CNIStatus(ctx context.Context, conflist []byte) error {
	config, err := libcni.NetworkConfFromBytes(conflist)
	if err != nil {
		return err
	}
	runtime, err := h.cniRuntime()
	if err != nil {
		return err
	}
	return runtime.GetStatusNetworkList(ctx, config)
}

// Conflist is a usual network configuration list for the host, whose first plugin is of type kind,
// flannel or weft, with files in the host's directory.
func (h *Host) Conflist(kind string) []byte {
	files := filepath.Join(h.dir, "cni")
	plugin := map[string]any{
		"type":       kind,
		"subnetFile": h.SubnetFile(),
		"runDir":     h.RunDir(),
		"dataDir":    filepath.Join(files, kind),
	}
	if kind == "flannel" {
		plugin["ipam"] = map[string]any{"dataDir": filepath.Join(files, "host-local")}
		plugin["delegate"] = map[string]any{"hairpinMode": true, "isDefaultGateway": true}
	}
	text, err := json.Marshal(map[string]any{"cniVersion": "1.1.0", "name": "lab", "plugins": []any{plugin}})
	if err != nil {
		return nil // strings and booleans can always be expressed
	}
	return text
}

func addrsOf(result types.Result) ([]netip.Prefix, error) {
	r, err := current.NewResultFromResult(result)
	if err != nil {
		return nil, fmt.Errorf("read the plugins' result: %w", err)
	}
	var addrs []netip.Prefix
	for _, ip := range r.IPs {
		addr, err := netip.ParsePrefix(ip.Address.String())
		if err != nil {
			return nil, fmt.Errorf("read the plugins' result: %w", err)
		}
		addrs = append(addrs, addr)
	}
	slices.SortStableFunc(addrs, func(a, b netip.Prefix) int { return a.Addr().BitLen() - b.Addr().BitLen() })
	return addrs, nil
}

// cniRuntime is the host's container runtime.
func (h *Host) cniRuntime() (*libcni.CNIConfig, error) {
	dirs, err := h.lab.cni()
	if err != nil {
		return nil, err
	}
	return libcni.NewCNIConfigWithCacheDir(dirs, filepath.Join(h.dir, "cni", "cache"), &pluginsOn{host: h}), nil
}
