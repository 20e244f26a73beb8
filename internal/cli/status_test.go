package cli

import (
	"bytes"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// busy is a status with a peer on each path and something wrong.
func busy() api.Status {
	subnet := netip.MustParsePrefix
	peer := func(name, s, public, kind, via, dev, problem string) api.Peer {
		p := api.Peer{
			Name:    name,
			Subnets: []netip.Prefix{subnet(s)}, Public: []netip.Addr{netip.MustParseAddr(public)},
			Backend: "vxlan", Problem: problem,
		}
		if via != "" {
			p.Paths = []api.Path{{Subnet: subnet(s), Kind: kind, Via: netip.MustParseAddr(via), Dev: dev}}
		}
		return p
	}
	near := peer("two", "172.7.22.0/24", "10.4.7.22", "direct", "10.4.7.22", "eth0", "")
	near.Paths[0].Reach = api.Reach{State: api.ReachPasses, Since: now, Answered: now, Loss: 0.12, RTT: 420 * time.Microsecond, MTU: 1348}
	near.Others = []api.Path{{Subnet: subnet("172.7.22.0/24"), Kind: "vxlan", Via: netip.MustParseAddr("172.7.22.0"), Dev: "flannel.1", Reach: api.Reach{
		State: api.ReachPasses, Since: now, Answered: now, RTT: 12 * time.Millisecond,
	}}}
	far := peer("", "172.7.24.0/24", "10.4.8.24", "vxlan", "172.7.24.0", "flannel.1", "")
	far.Paths[0].Reach = api.Reach{State: api.ReachUnmeasured}
	return api.Status{
		Version: "v1", Started: now.Add(-26 * time.Hour), Hostname: "one", Revision: 42,
		Network: []netip.Prefix{subnet("172.7.0.0/16")}, Backend: "vxlan", Direct: true,
		Uplink: api.Uplink{Name: "eth0", MTU: 1500, Addrs: []netip.Addr{netip.MustParseAddr("10.4.7.21")}, Reason: "default route",
			Others: []string{"10.4.7.100 on eth0", "10.4.7.101 on eth0", "10.4.7.102 on eth0", "10.8.0.2 on tun0"}},
		Lease: api.Lease{
			Subnets: []netip.Prefix{subnet("172.7.21.0/24")}, Public: []netip.Addr{netip.MustParseAddr("10.4.7.21")},
			MTU: 1450, Held: true,
		},
		Peers: []api.Peer{
			near,
			far,
			peer("five", "172.8.0.0/24", "10.4.8.25", "", "", "", "outside the network"),
		},
		Problems: []api.Problem{{Subject: "172.8.0.0/24", Message: "outside the network\nwhich is 172.7.0.0/16"}},
		Store:    api.StoreState{Kind: "etcd", Since: now.Add(-90 * time.Second), Error: "connection refused"},
		Pass:     api.Pass{At: now.Add(-5 * time.Second), Took: 3 * time.Millisecond, Rows: 12, Changed: 2, Failed: 1},
		Counts:   api.Counts{Passes: 3, Failures: 1, Ops: map[string]int{"add route": 3, "replace link": 1}},
		NotReady: "an object failed\nand another",
	}
}

const busyText = `agent    v1 on one, up 1d2h
state    NOT READY: an object failed ...
network  172.7.0.0/16, vxlan with direct routing
uplink   eth0 10.4.7.21, mtu 1500, chosen: default route; not chosen: 10.4.7.100 on eth0, 10.4.7.101 on eth0, 10.4.7.102 on eth0 and 1 more
lease    172.7.21.0/24, advertised as 10.4.7.21, mtu 1450
store    etcd, unreachable for 1m30s: connection refused
kernel   12 objects, 2 changed by the last pass 5s ago in 3ms, 1 FAILED
peers    2 of 3 with a path: 1 direct, 1 vxlan

problems
  172.8.0.0/24 (five): outside the network
    which is 172.7.0.0/16

HOST  SUBNET         PUBLIC     PATH                 REACH       RTT
two   172.7.22.0/24  10.4.7.22  direct               12% loss    0.4ms
-     172.7.24.0/24  10.4.8.24  vxlan                unmeasured  -
five  172.8.0.0/24   10.4.8.25  none (see problems)  -           -
`

const busyWide = `agent     v1 on one, up 1d2h
state     NOT READY: an object failed ...
network   172.7.0.0/16, vxlan with direct routing
uplink    eth0 10.4.7.21, mtu 1500, chosen: default route; not chosen: 10.4.7.100 on eth0, 10.4.7.101 on eth0, 10.4.7.102 on eth0 and 1 more
lease     172.7.21.0/24, advertised as 10.4.7.21, mtu 1450
store     etcd, unreachable for 1m30s: connection refused
kernel    12 objects, 2 changed by the last pass 5s ago in 3ms, 1 FAILED
peers     2 of 3 with a path: 1 direct, 1 vxlan
revision  42
totals    3 passes, 4 operations, 1 failed

problems
  172.8.0.0/24 (five): outside the network
    which is 172.7.0.0/16

HOST  SUBNET         PUBLIC     BACKEND  PATH     REACH       RTT    MTU   VIA         DEVICE     VERSION  PROBLEM
two   172.7.22.0/24  10.4.7.22  vxlan    direct   12% loss    0.4ms  1348  10.4.7.22   eth0       -        -
two   172.7.22.0/24  10.4.7.22  vxlan    (vxlan)  ok          12ms   -     172.7.22.0  flannel.1  -        -
-     172.7.24.0/24  10.4.8.24  vxlan    vxlan    unmeasured  -      -     172.7.24.0  flannel.1  -        -
five  172.8.0.0/24   10.4.8.25  vxlan    none     -           -      -     -           -          -        outside the network
`

const newText = `agent    v1 on -, up 0s
state    NOT READY: starting
network  none yet
uplink   none yet
lease    none yet
store    embedded, connected 0s
kernel   not written yet
peers    none
`

// degraded is a status with a note and a warning.
func degraded() api.Status {
	return api.Status{
		Version: "v1", Started: now, State: api.StateDegraded, Ready: true, Store: api.StoreState{Kind: "embedded", Up: true, Since: now},
		Problems: []api.Problem{
			{Subject: "172.8.0.0/24", Message: "vacant", Severity: api.SeverityNote},
			{Subject: "firewall", Message: "stops packets\nby a rule", Severity: api.SeverityWarning},
		},
	}
}

const degradedText = `agent    v1 on -, up 0s
state    DEGRADED: firewall: stops packets ...
network  none yet
uplink   none yet
lease    none yet
store    embedded, connected 0s
kernel   not written yet
peers    none

problems
  firewall: stops packets
    by a rule

notes
  172.8.0.0/24: vacant
`

// A script can tell the states apart by their exit codes, also with an agent
// that tells only whether it is ready.
func TestStatusExitCodes(t *testing.T) {
	for name, tc := range map[string]struct {
		status api.Status
		want   int
	}{
		"ready":        {api.Status{State: api.StateReady, Ready: true}, 0},
		"degraded":     {degraded(), 3},
		"not ready":    {api.Status{State: api.StateNotReady, NotReady: "starting"}, 1},
		"older, ready": {api.Status{Ready: true}, 0},
		"older, not":   {api.Status{NotReady: "starting"}, 1},
	} {
		if got := report(io.Discard, exitOf(tc.status)); got != tc.want {
			t.Errorf("%s: exit code %d, want %d", name, got, tc.want)
		}
	}
}

func TestStatusText(t *testing.T) {
	fresh := api.Status{Version: "v1", Started: now, NotReady: "starting", Store: api.StoreState{Kind: "embedded", Up: true, Since: now}}
	for _, test := range []struct {
		name, output string
		status       api.Status
		want         string
	}{
		{"busy", outputText, busy(), busyText},
		{"busy, wide", outputWide, busy(), busyWide},
		{"degraded", outputText, degraded(), degradedText},
		{"just started", outputText, fresh, newText},
	} {
		var out bytes.Buffer
		if err := (statusView{output: test.output}).show(&out, test.status, now); err != nil {
			t.Fatal(err)
		}
		if out.String() != test.want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, &out, test.want)
		}
	}
}
