package ptp_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	current "github.com/containernetworking/cni/pkg/types/100"
)

// TestRequestedAddresses honours what a runtime requests, in each of the three
// forms, and the container is reached with it.
func TestRequestedAddresses(t *testing.T) {
	const mac = "0a:58:0a:05:01:09"
	ips := []string{"10.5.1.9/24", "fd05:0:0:1::9"}
	for name, tc := range map[string]struct {
		key   string
		value any
		args  string
	}{
		"capabilities": {"runtimeConfig", map[string]any{"ips": ips, "mac": mac, "portMappings": []any{}}, ""},
		"args":         {"args", map[string]any{"cni": map[string]any{"ips": ips, "mac": mac}}, ""},
		"CNI_ARGS":     {"dns", nil, "IgnoreUnknown=1;K8S_POD_NAME=p;IP=10.5.1.9,fd05:0:0:1::9;MAC=" + mac},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, subnet4, subnet6)
			one, two := newContainer(t, "one"), newContainer(t, "two")
			h.add(t, two)
			cmd := h.command("ADD", "one", one.path(), h.config(tc.key, tc.value))
			cmd.Env = append(cmd.Env, "CNI_ARGS="+tc.args)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err, string(out))
			}
			defer h.del(t, "one")
			var res current.Result
			if err := json.Unmarshal(out, &res); err != nil {
				t.Fatal(err)
			}
			got := addrsOf(&res)
			if fmt.Sprint(got) != "[10.5.1.9 fd05:0:0:1::9]" || res.Interfaces[1].Mac != mac {
				t.Errorf("got %s", out)
			}
			for _, a := range got {
				talk(t, two, one, a)
			}
			if _, err := h.call("CHECK", "one", one.path(), h.config("prevResult", res)); err != nil {
				t.Error(err)
			}
			if names := h.records(t); !slices.Contains(names, "one:eth0") {
				t.Errorf("on record are %v", names)
			}
		})
	}
}
