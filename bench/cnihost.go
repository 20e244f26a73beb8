package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/weft-net/weft/internal/netns"
)

// podHost is a host on which one plugin makes pods.
type podHost struct {
	plugin
	ns     *netns.NS
	config []byte
	path   string // CNI_PATH
	pods   []*netns.NS
}

// newPodHost makes a host without an agent: what a plugin needs of one is its
// subnet.env, and that the host forwards.
func newPodHost(o *options, p plugin, others string) (*podHost, error) {
	dir, err := os.MkdirTemp(o.dir, "host-")
	if err != nil {
		return nil, err
	}
	subnets, err := writeSubnet(dir)
	if err != nil {
		return nil, err
	}
	conf := map[string]any{"cniVersion": "1.1.0", "name": "pods", "type": p.kind, "subnetFile": subnets, "dataDir": filepath.Join(dir, "data")}
	if p.kind == flannelType {
		conf["ipam"] = map[string]any{"dataDir": filepath.Join(dir, "ipam")}
		// As weft and flanneld have it where they masquerade themselves.
		conf["delegate"] = map[string]any{"ipMasq": false}
	}
	h := &podHost{plugin: p, path: others}
	if h.config, err = json.Marshal(conf); err != nil {
		return nil, err
	}
	if h.ns, err = netns.New("host"); err != nil {
		return nil, err
	}
	err = h.ns.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
	return h, err
}

func (h *podHost) close() error {
	var err error
	for _, pod := range h.pods {
		err = errors.Join(err, pod.Close())
	}
	return errors.Join(err, h.ns.Close())
}

// call calls the plugin as a runtime does and returns how long it took, from
// before exec to after exit, and what it printed.
func (h *podHost) call(ctx context.Context, command, id string, pod *netns.NS) (time.Duration, []byte, error) {
	cmd := exec.CommandContext(ctx, h.plugin.path)
	cmd.Env = append(os.Environ(), "CNI_COMMAND="+command, "CNI_CONTAINERID="+id, "CNI_NETNS="+pod.Path(), "CNI_IFNAME=eth0", "CNI_PATH="+h.path)
	cmd.Stdin = bytes.NewReader(h.config)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err := h.ns.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	took := time.Since(begin)
	if err != nil {
		return 0, nil, fmt.Errorf("%s of type %s: %w\n%s", command, h.Name, err, out.Bytes())
	}
	return took, out.Bytes(), nil
}

// addPod adds a pod that stays, and returns its address.
func (h *podHost) addPod(ctx context.Context) (*netns.NS, netip.Addr, error) {
	pod, err := netns.New("pod")
	if err != nil {
		return nil, netip.Addr{}, err
	}
	h.pods = append(h.pods, pod)
	_, out, err := h.call(ctx, "ADD", fmt.Sprintf("stays%d", len(h.pods)), pod)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	var result struct {
		IPs []struct{ Address netip.Prefix }
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return nil, netip.Addr{}, err
	}
	if len(result.IPs) != 1 {
		return nil, netip.Addr{}, fmt.Errorf("a pod has %d addresses", len(result.IPs))
	}
	return pod, result.IPs[0].Address.Addr(), nil
}
