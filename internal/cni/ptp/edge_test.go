package ptp_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/vishvananda/netlink"

	"github.com/weft-net/weft/internal/cni"
)

func TestRefusals(t *testing.T) {
	one := newContainer(t, "one")
	for name, tc := range map[string]struct {
		prepare func(*host)
		netns   string
		keys    []any
		code    uint
		says    string
	}{
		"no namespace":     {nil, "/nowhere", nil, types.ErrInvalidNetNS, "/nowhere"},
		"no netns":         {nil, "/proc/self/ns/uts", nil, types.ErrInvalidNetNS, "is not a network namespace"},
		"the host's":       {nil, "/proc/self/ns/net", nil, types.ErrInvalidNetNS, "of the host, not of a container"},
		"other IPAM":       {nil, one.path(), []any{"ipam", map[string]any{"type": "host-local"}}, types.ErrUnsupportedField, "host-local"},
		"not first":        {nil, one.path(), []any{"prevResult", map[string]any{"cniVersion": "1.1.0"}}, types.ErrInvalidNetworkConfig, "first"},
		"odd path":         {nil, one.path(), []any{"dataDir", "here"}, types.ErrInvalidNetworkConfig, "dataDir"},
		"odd keys":         {nil, one.path(), []any{"subnetFile", 5}, types.ErrDecodingFailure, "subnetFile"},
		"subnet too small": {func(h *host) { h.lease(t, "10.5.1.0/30"); h.add(t, newContainer(t, "two")) }, one.path(), nil, types.ErrTryAgainLater, "10.5.1.0/30 is in use"},
		"a capability":     {nil, one.path(), []any{"runtimeConfig", map[string]any{"bandwidth": map[string]any{"ingressRate": 1}}}, types.ErrUnsupportedField, `the capability "bandwidth"`},
		"odd capabilities": {nil, one.path(), []any{"runtimeConfig", []any{}}, types.ErrDecodingFailure, "runtimeConfig"},
		"odd args":         {nil, one.path(), []any{"args", map[string]any{"cni": 1}}, types.ErrDecodingFailure, "args"},
		"address used":     {func(h *host) { h.record(t, "three", subnet4) }, one.path(), []any{"runtimeConfig", map[string]any{"ips": []string{"10.5.1.2"}}}, types.ErrInvalidNetworkConfig, "container three has it"},
		"foreign address":  {nil, one.path(), []any{"runtimeConfig", map[string]any{"ips": []string{"10.9.1.2"}}}, types.ErrInvalidNetworkConfig, "10.9.1.2"},
		"no address":       {nil, one.path(), []any{"runtimeConfig", map[string]any{"ips": []string{"x"}}}, types.ErrInvalidNetworkConfig, `"x"`},
		"multicast MAC":    {nil, one.path(), []any{"runtimeConfig", map[string]any{"mac": "01:00:5e:00:00:01"}}, types.ErrInvalidNetworkConfig, "01:00:5e:00:00:01"},
		"name in use":      {nil, one.path(), []any{"-", "lo"}, types.ErrInternal, "the name or the address is in use"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, subnet4)
			if tc.prepare != nil {
				tc.prepare(h)
			}
			before := len(h.records(t)) + len(links(t))
			cmd := h.command("ADD", "one", tc.netns, h.config(tc.keys...))
			if len(tc.keys) > 0 && tc.keys[0] == "-" {
				cmd.Env = append(cmd.Env, "CNI_IFNAME="+tc.keys[1].(string))
			}
			out, err := cmd.Output()
			var refusal types.Error
			if err == nil || json.Unmarshal(out, &refusal) != nil || refusal.Code != tc.code || !strings.Contains(refusal.Error(), tc.says) {
				t.Errorf("got %v, %s, want code %d and %q", err, out, tc.code, tc.says)
			}
			if after := len(h.records(t)) + len(links(t)); after != before {
				t.Errorf("it left %v and %v", h.records(t), links(t))
			}
		})
	}
}

func TestGC(t *testing.T) {
	h := newHost(t, subnet4)
	for _, id := range []string{"valid", "gone", "gone-too"} {
		h.add(t, newContainer(t, id))
	}
	others := newContainer(t, "others")
	if _, err := h.call("ADD", "others", others.path(), h.config("name", "other")); err != nil {
		t.Fatal(err)
	}
	defer h.del(t, "others")
	valid := []any{map[string]any{"containerID": "valid", "ifname": "eth0"}, map[string]any{"containerID": "gone", "ifname": "eth1"}}
	if _, err := h.call("GC", "", "", h.config("cni.dev/valid-attachments", valid)); err != nil {
		t.Fatal(err)
	}
	if got := h.records(t); !slices.Equal(got, []string{"others:eth0", "valid:eth0"}) || len(links(t)) != 2 {
		t.Errorf("left are %v and %v", got, links(t))
	}
}

// TestGCGoesOn after what it cannot read, and tells of it in the end.
func TestGCGoesOn(t *testing.T) {
	h := newHost(t, subnet4)
	h.add(t, newContainer(t, "gone"))
	folder, err := filepath.Glob(filepath.Join(h.Data, "*-*"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder[0], "another's"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = h.call("GC", "", "", h.config("cni.dev/valid-attachments", nil))
	if code(err) != types.ErrIOFailure || !strings.Contains(err.Error(), "another's") {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if got := h.records(t); !slices.Equal(got, []string{"another's"}) || len(links(t)) > 0 {
		t.Errorf("left are %v and %v", got, links(t))
	}
}

func TestCheck(t *testing.T) {
	h := newHost(t, subnet4, subnet6)
	one := newContainer(t, "one")
	for _, version := range []string{"0.4.0", "1.0.0", "1.1.0"} {
		config := func(keys ...any) []byte { return h.config(append(keys, "cniVersion", version)...) }
		out, err := h.call("ADD", "one", one.path(), config())
		if err != nil {
			t.Fatal(err)
		}
		var prev map[string]any
		if err := json.Unmarshal(out, &prev); err != nil {
			t.Fatal(err)
		}
		if _, err := h.call("CHECK", "one", one.path(), config("prevResult", prev)); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		if _, err := h.call("CHECK", "one", one.path(), config()); code(err) != types.ErrInvalidNetworkConfig {
			t.Errorf("%s: without a result: %v", version, err)
		}
		if _, err := h.call("CHECK", "two", one.path(), config("prevResult", prev)); code(err) != cni.ErrChanged {
			t.Errorf("%s: another container: %v", version, err)
		}
		host := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: links(t)[0]}}
		if err := netlink.LinkSetMTU(host, 1300); err != nil {
			t.Fatal(err)
		}
		_, err = h.call("CHECK", "one", one.path(), config("prevResult", prev))
		if known := version != "0.4.0"; known != (code(err) == cni.ErrChanged) || known && !strings.Contains(err.Error(), "has MTU 1300") {
			t.Errorf("%s: another MTU of the host's end: %v", version, err)
		}
		if err := netlink.LinkSetDown(host); err != nil {
			t.Fatal(err)
		}
		if _, err := h.call("CHECK", "one", one.path(), config("prevResult", prev)); code(err) != cni.ErrChanged || !strings.Contains(err.Error(), "is down") {
			t.Errorf("%s: a device that is down: %v", version, err)
		}
		h.del(t, "one")
	}
}
