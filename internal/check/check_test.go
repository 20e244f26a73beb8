package check_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/check"
	"github.com/weft-net/weft/internal/explain/explaintest"
	"github.com/weft-net/weft/internal/netdump"
)

var update = flag.Bool("update", false, "write the goldens anew")

// facts are those of a host on which nothing is wrong.
func facts() check.Facts {
	f := check.Facts{Facts: explaintest.Facts(), Version: "v1"}
	f.Kernel.Release = "6.1.0"
	s := &f.Status
	s.Version, s.State, s.Ready = "v1", api.StateReady, true
	s.Store = api.StoreState{Kind: "etcd", Up: true}
	s.Lease.Held, s.Lease.MTU = true, 1450
	s.Uplink.Addrs = s.Lease.Public
	s.Checksums = []api.Checksum{{Device: "flannel.1", State: api.ChecksumSound, Arrive: true}}
	for i := range s.Peers {
		s.Peers[i].Version = "v1"
	}
	return f
}

// cases are what is wrong with a host.
var cases = []struct {
	name   string
	change func(*check.Facts)
}{
	{"nothing", func(*check.Facts) {}},
	{"no agent", func(f *check.Facts) { f.Agent, f.AgentErr = false, "no agent answers in /run/weft" }},
	{"another version", func(f *check.Facts) { f.Version = "v2" }},
	{"not ready", func(f *check.Facts) { f.Status.State, f.Status.NotReady = api.StateNotReady, "lease: none\nmore" }},
	{"clock", func(f *check.Facts) { f.Skew = -42 * time.Second }},
	{"clock not known", func(f *check.Facts) { f.SkewErr = "the Kubernetes API is not asked" }},
	{"store", func(f *check.Facts) { f.Status.Store = api.StoreState{Kind: "etcd", Error: "connection refused"} }},
	{"no lease", func(f *check.Facts) { f.Status.Lease = api.Lease{} }},
	{"lease not held", func(f *check.Facts) { f.Status.Lease.Held = false }},
	{"no uplink", func(f *check.Facts) { f.Status.Uplink = api.Uplink{} }},
	{"uplink gone", func(f *check.Facts) { f.Status.Uplink.Name = "eth9" }},
	{"uplink without a cable", func(f *check.Facts) { f.Kernel.Links[1].Carrier = false }},
	{"uplink without its address", func(f *check.Facts) { f.Status.Uplink.Addrs = []netip.Addr{netip.MustParseAddr("192.168.7.99")} }},
	{"firewall unreadable", func(f *check.Facts) { f.Kernel.Firewall.Absent = "CAP_NET_ADMIN is needed" }},
	{"not forwarding", func(f *check.Facts) { f.Kernel.Params["net/ipv4/ip_forward"] = "0" }},
	{"connections near the limit", func(f *check.Facts) {
		f.Kernel.Params["net/netfilter/nf_conntrack_max"], f.Kernel.Params["net/netfilter/nf_conntrack_count"] = "1000", "950"
	}},
	{"neighbours near the limit", func(f *check.Facts) { f.Kernel.Params["net/ipv4/neigh/default/gc_thresh3"] = "3" }},
	{"drift", func(f *check.Facts) { f.Drift = []string{"+ a", "~ b", "- c", "- d"} }},
	{"no plan", func(f *check.Facts) { f.Plan, f.PlanErr = nil, "the store has no network config yet" }},
	{"tunnel too large", func(f *check.Facts) { f.Kernel.Links[1].MTU = 1400 }},
	{"checksums untested", func(f *check.Facts) { f.Status.Checksums[0].State = api.ChecksumUntested }},
	{"no tunnel to test", func(f *check.Facts) { f.Status.Checksums = nil }},
	{"checksums broken", func(f *check.Facts) { broken(f) }},
	{"checksums broken still", func(f *check.Facts) { broken(f).Arrive = false }},
	{"bridge too large", func(f *check.Facts) { f.Kernel.Links[2].MTU = 1500 }},
	{"address twice", func(f *check.Facts) { f.Status.Peers[1].Public = f.Status.Peers[0].Public }},
	{"this host's address", func(f *check.Facts) { f.Status.Peers[1].Public = f.Status.Lease.Public }},
	{"bridge of another subnet", func(f *check.Facts) { f.Kernel.Addrs[1].Prefix = netip.MustParsePrefix("10.5.77.1/24") }},
	{"two bridges", func(f *check.Facts) {
		f.Kernel.Links = append(f.Kernel.Links, netdump.Link{Name: "docker0", Kind: "bridge", MTU: 1450, Up: true})
		f.Kernel.Addrs = append(f.Kernel.Addrs, netdump.Addr{Prefix: netip.MustParsePrefix("10.5.1.129/25"), Dev: "docker0"})
	}},
	{"no bridge", func(f *check.Facts) { f.Kernel.Addrs = f.Kernel.Addrs[:1] }},
	{"mixed versions", func(f *check.Facts) { f.Status.Peers[0].Version = "" }},
	{"alone", func(f *check.Facts) { f.Status.Peers = nil }},
	{"a peer with a problem", func(f *check.Facts) {
		f.Status.Peers[0].Problem = "announces VNI 2"
		f.Status.Problems = []api.Problem{
			{Subject: "10.5.2.0/24", Message: "announces VNI 2", Severity: api.SeverityWarning},
			{Subject: "firewall", Message: "stops packets", Severity: api.SeverityWarning}, {Subject: "key", Message: "is no lease", Severity: api.SeverityNote},
		}
	}},
	{"a peer without an entry", func(f *check.Facts) { f.Kernel.FDB = nil }},
	{"probes", func(f *check.Facts) {
		p := f.Status.Peers
		p[0].Paths = []api.Path{{Subnet: p[0].Subnets[0], Kind: "direct", Reach: api.Reach{State: api.ReachPasses}}}
		p[1].Paths = []api.Path{{Subnet: p[1].Subnets[0], Kind: "vxlan", Reach: api.Reach{State: api.ReachUnmeasured}}}
	}},
	{"paths that are narrow", func(f *check.Facts) {
		for i, mtu := range []int{1348, 1328} {
			p := &f.Status.Peers[i]
			p.Paths = []api.Path{{Subnet: p.Subnets[0], Kind: "vxlan", Reach: api.Reach{State: api.ReachPasses, MTU: mtu}}}
		}
	}},
	{"a peer that is lost", func(f *check.Facts) {
		p := &f.Status.Peers[1]
		p.Paths = []api.Path{{Subnet: p.Subnets[0], Kind: "vxlan", Reach: api.Reach{State: api.ReachLost, Since: time.Unix(1e9, 0)}}}
	}},
	{"tunnel port closed", func(f *check.Facts) {
		f.Kernel.Firewall.Chains = []netdump.Chain{{Family: "ip", Table: "filter", Name: "INPUT", Type: "filter", Hook: "input", Policy: "drop"}}
	}},
}

// broken has the hardware not complete checksums, as the agent found and tells.
func broken(f *check.Facts) *api.Checksum {
	c := &f.Status.Checksums[0]
	c.State, c.Peer, c.Protocols = api.ChecksumBroken, netip.MustParsePrefix("10.5.3.0/24"), "UDP and TCP"
	f.Status.Problems = []api.Problem{{Subject: "flannel.1", Message: "tx-checksumming is off", Severity: api.SeverityNote}}
	return c
}

// TestGoldens shows of each case what is other than on a host on which nothing is wrong.
func TestGoldens(t *testing.T) {
	const file = "testdata/checks.txtar"
	var got txtar.Archive
	for i, c := range cases {
		f := facts()
		c.change(&f)
		text := render(check.Run(f), check.Run(facts()), i == 0)
		got.Files = append(got.Files, txtar.File{Name: c.name, Data: []byte(text)})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(&got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(txtar.Format(&got))); diff != "" {
		t.Error(diff)
	}
}

func render(results, usual []check.Result, all bool) string {
	var b strings.Builder
	for _, r := range results {
		if all || !slices.Contains(usual, r) {
			fmt.Fprintf(&b, "%-7s %s: %s\n", r.State, r.Name, r.Text)
		}
		if r.Remedy != "" {
			fmt.Fprintf(&b, "        %s\n", r.Remedy)
		}
	}
	return b.String()
}

// TestWhatFailsHasARemedy but for problems, whose text has it.
func TestWhatFailsHasARemedy(t *testing.T) {
	for i, c := range cases {
		f := facts()
		c.change(&f)
		results := check.Run(f)
		for _, r := range results {
			if r.State == check.Failed && r.Remedy == "" && r.Name != "problem" {
				t.Errorf("%s: %+v has no remedy", c.name, r)
			}
		}
		if i == 0 && check.Fails(results) {
			t.Error("a host on which nothing is wrong fails")
		}
	}
}
