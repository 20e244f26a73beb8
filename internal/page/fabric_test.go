package page

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// reportOf is the answer of the agent of h1, which knows h2 and a host that
// tells nothing of itself.
func reportOf() Report {
	var s api.Status
	s.Hostname, s.Version, s.State, s.Backend = "h1", "v2", api.StateReady, "vxlan"
	s.Network = []netip.Prefix{prefix("10.42.0.0/16")}
	s.Uplink = api.Uplink{Name: "eth0", OnLink: []netip.Prefix{prefix("10.4.7.0/24")}}
	s.Lease = api.Lease{Subnets: []netip.Prefix{prefix("10.42.1.0/24")}, Public: []netip.Addr{netip.MustParseAddr("10.4.7.21")}, Held: true}
	s.Peers = []api.Peer{
		{
			Name: "h2", Version: "v1", Subnets: []netip.Prefix{prefix("10.42.2.0/24")}, Public: []netip.Addr{netip.MustParseAddr("10.4.8.22")}, OnLink: []netip.Prefix{prefix("10.4.8.0/24")},
			Paths: []api.Path{{Subnet: prefix("10.42.2.0/24"), Kind: "vxlan", Reach: api.Reach{State: api.ReachPasses, RTT: 1234567, Loss: 0.0123}}},
		},
		{
			Subnets: []netip.Prefix{prefix("10.42.3.0/24")}, Public: []netip.Addr{netip.MustParseAddr("10.4.7.23")}, Problem: "it is not as it should be",
			Paths: []api.Path{{Subnet: prefix("10.42.3.0/24"), Kind: "direct", Reach: api.Reach{State: api.ReachLost, Answered: time.Unix(100, 0)}}},
		},
	}
	return Report{Host: "h1", Status: s}
}

func hostOf(t *testing.T, f Fabric, id string) Host {
	t.Helper()
	for _, h := range f.Hosts {
		if h.ID == id {
			return h
		}
	}
	t.Fatalf("there is no host %s in %+v", id, f.Hosts)
	return Host{}
}

func TestWhatIsNotKnownIsNotGuessed(t *testing.T) {
	f := Merge([]Report{reportOf()})
	self, named, silent := hostOf(t, f, "10.42.1.0/24"), hostOf(t, f, "10.42.2.0/24"), hostOf(t, f, "10.42.3.0/24")
	if f.Head.Self != self.ID || self.State != api.StateReady || !self.Asked || self.Segment != "10.4.7.0/24" {
		t.Errorf("this host is %+v", self)
	}
	if named.State != "" || named.Asked || named.Segment != "10.4.8.0/24" || named.Name != "h2" {
		t.Errorf("a peer whose agent was not asked is %+v", named)
	}
	if silent.Segment != "10.4.7.0/24" || silent.Name != "" || len(silent.Problems) != 1 {
		t.Errorf("a peer that tells nothing is %+v; its address is in a subnet that h1 is connected to", silent)
	}
	for _, l := range f.Links {
		if l.From != self.ID {
			t.Errorf("a link of a host whose agent was not asked: %+v", l)
		}
	}
	if len(f.Links) != 2 || f.Links[0].RTT != 1230 || f.Links[0].Loss != 0.012 || !f.Links[0].Last.IsZero() || f.Links[1].Last.IsZero() {
		t.Errorf("links are %+v", f.Links)
	}
}

func TestAnswersCompleteEachOther(t *testing.T) {
	second := reportOf()
	second.Host, second.Status.Hostname, second.Status.State = "h2", "h2", api.StateDegraded
	second.Status.Lease.Subnets, second.Status.Lease.Public = []netip.Prefix{prefix("10.42.2.0/24")}, []netip.Addr{netip.MustParseAddr("10.4.8.22")}
	second.Status.Peers = nil
	f := Merge([]Report{reportOf(), second, {Host: "h3", Err: errors.New("no answer")}})
	if h := hostOf(t, f, "10.42.2.0/24"); h.State != api.StateDegraded || !h.Asked {
		t.Errorf("h2 is %+v", h)
	}
	if h := hostOf(t, f, "h3"); h.State != "" || h.Why != "no answer" || !h.Asked {
		t.Errorf("a host that does not answer is %+v", h)
	}
	if f.Head.Self != "10.42.1.0/24" {
		t.Errorf("the first report is not this host's: %q", f.Head.Self)
	}
}

// TestPatchTurnsOneIntoTheOther applies what a browser gets.
func TestPatchTurnsOneIntoTheOther(t *testing.T) {
	before := Merge([]Report{reportOf()})
	next := reportOf()
	next.Status.Peers = next.Status.Peers[:1]
	next.Status.Peers[0].Paths[0].Reach.State = api.ReachLost
	next.Status.Store.Up = true
	after := Merge([]Report{next})
	p := diff(before, after)
	if p.Head == nil || len(p.Hosts) != 0 || len(p.Links) != 1 || !reflect.DeepEqual(p.GoneHosts, []string{"10.42.3.0/24"}) || len(p.GoneLinks) != 1 {
		t.Errorf("the patch is %+v", p)
	}
	if p := diff(after, after); !p.empty() {
		t.Errorf("what is the same differs by %+v", p)
	}
	if _, err := json.Marshal(p); err != nil {
		t.Error(err)
	}
}
