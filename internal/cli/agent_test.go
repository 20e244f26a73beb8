package cli_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lab"
)

// onHost returns a host of a lab, and a function that runs a command there
// and gives its output and whether it succeeded.
func onHost(t *testing.T) (*lab.Host, func(args ...string) (string, bool)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft") // short, for the sockets in it
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.New(lab.Topology{
		Segments: []lab.Segment{{Name: "a", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}},
		Router:   "r",
		Hosts:    []lab.HostSpec{{Name: "one", Segment: "a", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.11")}}},
	}, lab.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	host, err := l.Host("one")
	if err != nil {
		t.Fatal(err)
	}
	return host, func(args ...string) (string, bool) {
		out, err := host.Run(t.Context(), args...)
		return out, err == nil
	}
}

// expect runs weft and checks how it ends and what it says.
func expect(t *testing.T, run func(...string) (string, bool), success bool, says string, args ...string) string {
	t.Helper()
	out, ok := run(append([]string{"weft"}, args...)...)
	if ok != success || !strings.Contains(out, says) {
		t.Errorf("weft %s: success %v, want %v and %q in:\n%s", strings.Join(args, " "), ok, success, says, out)
	}
	return out
}

func TestCommandsBesideAnAgent(t *testing.T) {
	host, run := onHost(t)
	expect(t, run, false, "no agent answers on", "status")
	expect(t, run, true, "nothing to remove", "clean")
	expect(t, run, false, "no network config yet", "plan")
	expect(t, run, true, "stored", "config", "set", `{"Network": "10.5.0.0/16"}`)
	expect(t, run, true, "this host has no lease yet", "plan")
	expect(t, run, true, "reserved 10.5.34.0/24", "lease", "reserve", "10.5.34.0/24", "--public-ip=192.0.2.11")

	expect(t, run, true, ":4\n", "__complete", "lease", "release", "") // and no store is started

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	agent, err := host.StartAgent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, run, true, "ready", "status")
	expect(t, run, true, "192.0.2.11", "status", "-o", "wide")
	var s api.Status
	if err := json.Unmarshal([]byte(expect(t, run, true, "", "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	if !s.Ready || !s.Lease.Held || s.Store.Kind != "embedded" || s.Uplink.Name != lab.Uplink || s.Version != "v0.0.0-test" {
		t.Errorf("status says %+v", s)
	}
	if len(s.Lease.Subnets) != 1 || s.Lease.Subnets[0].String() != "10.5.34.0/24" {
		t.Errorf("the host has %v, and 10.5.34.0/24 was reserved for it", s.Lease.Subnets)
	}
	expect(t, run, true, "link    flannel.1 vxlan vni 1 local 192.0.2.11", "plan")
	expect(t, run, true, "\"text\": \"flannel.1 vxlan vni 1 local 192.0.2.11", "plan", "-o", "json")
	expect(t, run, true, "\"changes\": []", "plan", "--diff", "-o", "json")
	if out := expect(t, run, true, "", "plan", "--diff"); out != "" {
		t.Errorf("the kernel differs from the plan right after READY:\n%s", out)
	}
	expect(t, run, true, "10.5.34.0/24  192.0.2.11", "lease", "list")
	expect(t, run, true, "", "wait", "ready")
	expect(t, run, true, "", "wait", "config")
	expect(t, run, false, "no peer has the name, subnet or address h2", "wait", "peer", "h2", "--timeout=3s")
	expect(t, run, true, "10.5.34.0/24\t192.0.2.11\n", "__complete", "lease", "release", "")
	expect(t, run, true, lab.Uplink+"\n", "__complete", "up", "--iface", "")
	expect(t, run, true, "10.5.0.0/16", "config", "get")
	expect(t, run, false, "an agent is running in", "clean")
	expect(t, run, false, "another agent runs here", "up")

	if err := agent.Stop(ctx); err != nil {
		t.Errorf("SIGTERM did not end the agent well: %v", err)
	}
	if out := expect(t, run, true, "", "plan", "--diff"); out != "" {
		t.Errorf("stopping changed the kernel:\n%s", out)
	}
	dry := expect(t, run, true, "- link flannel.1", "clean", "--dry-run")
	expect(t, run, true, "stays: the lease of 10.5.34.0/24; release it with: weft lease release 10.5.34.0/24\n", "clean", "--dry-run")
	expect(t, run, true, "identity.json: this host's identity", "clean", "--dry-run")
	if out := expect(t, run, true, dry, "clean"); !strings.Contains(out, "removed") {
		t.Errorf("clean removed nothing:\n%s", out)
	}
	expect(t, run, true, "nothing to remove", "clean")
	if _, err := os.Stat(host.SubnetFile()); !os.IsNotExist(err) {
		t.Errorf("clean left the subnet file: %v", err)
	}
	expect(t, run, false, "+ link flannel.1", "plan", "--diff")
	expect(t, run, false, "change: add\n", "plan", "--diff", "-o=yaml")
}
