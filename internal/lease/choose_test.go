package lease

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netconf"
)

func network(t testing.TB, doc string) netconf.Network {
	t.Helper()
	net, err := netconf.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return net
}

const (
	four = `{"Network": "10.5.0.0/16"}`
	dual = `{"Network": "10.5.0.0/16", "EnableIPv6": true, "IPv6Network": "fc00:5::/48"}`
	six  = `{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fc00:5::/48"}`
)

// entry is a lease in the store with the record beside it.
type entry struct {
	key      string
	public   string // blank-separated addresses
	owner    Owner  // zero: no record
	reserved bool
}

func stored(t testing.TB, entries []entry) ([]Lease, map[string]Owner) {
	t.Helper()
	var all []Lease
	owners := map[string]Owner{}
	for _, e := range entries {
		subnets, err := ParseKey(e.key)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Lease{Subnets: subnets, Attrs: Attrs{Public: addrs(strings.Fields(e.public)...)}, Reserved: e.reserved})
		if e.owner != (Owner{}) {
			owners[e.key] = e.owner
		}
	}
	return all, owners
}

var (
	me      = Owner{ID: "me", Hostname: "alpha", Machine: "m1"}
	reborn  = Owner{ID: "before", Hostname: "alpha", Machine: "m1"} // me, before the state directory was lost
	twin    = Owner{ID: "twin", Hostname: "alpha", Machine: "m2"}
	another = Owner{ID: "another", Hostname: "beta", Machine: "m2"}
)

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name      string
		net       string
		stored    []entry
		public    string
		preferred []string
		avoid     []string
		local     []string
		want      string // key
		why       Reason
		had       bool
		reserved  bool
		drop      string // keys, blank-separated
		rest      string // likewise; "a>b" if what is left of a becomes b
	}{
		{name: "nothing there", net: four, want: "10.5.8.0-24", why: ReasonFree},
		{name: "ipv6 alone", net: six, want: "0.0.0.0-0&fc00:5:0:8::-64", why: ReasonFree},
		{name: "dual-stack", net: dual, want: "10.5.8.0-24&fc00:5:0:8::-64", why: ReasonFree},

		{name: "own by ID", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}},
			want: "10.5.3.0-24", why: ReasonOwn, had: true},
		{name: "own by ID, address changed", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.77", owner: me}},
			want: "10.5.3.0-24", why: ReasonOwn, had: true},
		{name: "own by name and machine", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: reborn}},
			want: "10.5.3.0-24", why: ReasonOwn, had: true},
		{name: "same name and machine, other address", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.2", owner: reborn}},
			want: "10.5.9.0-24", why: ReasonFree},
		{name: "own rather than preferred", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}},
			preferred: []string{"10.5.4.0/24"}, want: "10.5.3.0-24", why: ReasonOwn, had: true},
		{name: "own reservation", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me, reserved: true}},
			want: "10.5.3.0-24", why: ReasonOwn, had: true, reserved: true},

		{name: "flanneld's lease", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1"}},
			want: "10.5.3.0-24", why: ReasonAdopted, had: true},
		{name: "flanneld's lease, ipv6", net: six, stored: []entry{{key: "0.0.0.0-0&fc00:5:0:3::-64", public: "fd00::1"}},
			want: "0.0.0.0-0&fc00:5:0:3::-64", why: ReasonAdopted, had: true},
		{name: "reservation for my address", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", reserved: true}},
			want: "10.5.3.0-24", why: ReasonAdopted, had: true, reserved: true},
		{name: "reservation for another address", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.2", reserved: true}},
			preferred: []string{"10.5.3.0/24"}, want: "10.5.9.0-24", why: ReasonFree},
		{name: "own by ID rather than by address", net: four, stored: []entry{{key: "10.5.2.0-24", public: "10.0.0.1"}, {key: "10.5.3.0-24", public: "10.0.0.9", owner: me}},
			want: "10.5.3.0-24", why: ReasonOwn, had: true},

		{name: "own out of network", net: four, stored: []entry{{key: "10.6.3.0-24", public: "10.0.0.1", owner: me}},
			want: "10.5.8.0-24", why: ReasonFree, rest: "10.6.3.0-24"},
		{name: "own of another length", net: four, stored: []entry{{key: "10.5.8.0-25", public: "10.0.0.1", owner: me}},
			want: "10.5.9.0-24", why: ReasonFree, rest: "10.5.8.0-25"},
		{name: "flanneld's out of network", net: four, stored: []entry{{key: "10.6.3.0-24", public: "10.0.0.1"}},
			want: "10.5.8.0-24", why: ReasonFree, rest: "10.6.3.0-24"},
		{name: "another's out of network", net: four, stored: []entry{{key: "10.6.3.0-24", public: "10.0.0.2"}},
			want: "10.5.8.0-24", why: ReasonFree},
		{name: "own reservation out of network", net: four, stored: []entry{{key: "10.6.3.0-24", public: "10.0.0.1", owner: me, reserved: true}},
			want: "10.5.8.0-24", why: ReasonFree, rest: "10.6.3.0-24"},
		{name: "own reservation of another length stays and is gone round", net: four, stored: []entry{{key: "10.5.8.0-25", public: "10.0.0.1", owner: me, reserved: true}},
			want: "10.5.9.0-24", why: ReasonFree, rest: "10.5.8.0-25"},
		{name: "reservation for my address out of network stays", net: four, stored: []entry{{key: "10.6.3.0-24", public: "10.0.0.1", reserved: true}},
			want: "10.5.8.0-24", why: ReasonFree},
		{name: "of two own the one that nobody overlaps", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}, {key: "10.5.3.128-25", public: "10.0.0.2"}, {key: "10.5.4.0-24", public: "10.0.0.1", owner: me}},
			want: "10.5.4.0-24", why: ReasonOwn, had: true, rest: "10.5.3.0-24"},
		{name: "IPv6 joins, round a lease that is mine by address only", net: dual, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}, {key: "10.5.200.0-24&fc00:5:0:8::-64", public: "10.0.0.1"}},
			want: "10.5.3.0-24&fc00:5:0:9::-64", why: ReasonOwn, drop: "10.5.3.0-24"},
		{name: "of two own the fitting one", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}, {key: "10.6.3.0-24", public: "10.0.0.1", owner: me}},
			want: "10.5.3.0-24", why: ReasonOwn, had: true, rest: "10.6.3.0-24"},
		{name: "of two own that fit the preferred one", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}, {key: "10.5.4.0-24", public: "10.0.0.1", owner: me}}, preferred: []string{"10.5.4.1/24"},
			want: "10.5.4.0-24", why: ReasonOwn, had: true, rest: "10.5.3.0-24"},
		{name: "own of another length where all else is taken", net: `{"Network": "10.5.8.0/22", "SubnetLen": 24}`, stored: []entry{{key: "10.5.9.0-25", public: "10.0.0.1", owner: me}, {key: "10.5.10.0-23", public: "10.0.0.2"}, {key: "10.5.8.0-24", public: "10.0.0.3"}},
			want: "10.5.9.0-24", why: ReasonFree, drop: "10.5.9.0-25"},
		{name: "own under a stray's", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}, {key: "10.5.0.0-17", public: "10.0.0.9", reserved: true}},
			want: "10.5.3.0-24", why: ReasonOwn, had: true},
		{name: "own under another host's", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}, {key: "10.5.0.0-22", public: "10.0.0.9", owner: another}},
			want: "10.5.11.0-24", why: ReasonFree, drop: "10.5.3.0-24"},
		{name: "own on the uplink's prefix", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}}, avoid: []string{"10.5.2.0/23"},
			want: "10.5.10.0-24", why: ReasonFree, drop: "10.5.3.0-24"},
		{name: "own on the uplink's prefix where all else is taken", net: `{"Network": "10.5.0.0/16", "SubnetMin": "10.5.8.0", "SubnetMax": "10.5.9.0"}`, stored: []entry{{key: "10.5.9.0-24", public: "10.0.0.1", owner: me}, {key: "10.5.8.0-24", public: "10.0.0.2"}}, avoid: []string{"10.5.9.0/24"},
			want: "10.5.9.0-24", why: ReasonOwn, had: true},
		{name: "own on a network of its containers", net: four, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}}, local: []string{"10.5.3.0/24"},
			want: "10.5.3.0-24", why: ReasonOwn, had: true},
		{name: "preferred on a network of its containers", net: four, preferred: []string{"10.5.3.1/24"}, local: []string{"10.5.3.0/24"},
			want: "10.5.3.0-24", why: ReasonPreferred},
		{name: "free beside its containers", net: four, local: []string{"10.5.8.0/21"}, want: "10.5.16.0-24", why: ReasonFree},
		{name: "free though its containers have the whole network", net: four, local: []string{"10.5.0.0/16"}, want: "10.5.8.0-24", why: ReasonFree},
		{name: "free beside a network of the host's", net: dual, avoid: []string{"10.5.8.0/30", "fc00:5:0:8::/64"}, want: "10.5.9.0-24&fc00:5:0:9::-64", why: ReasonFree},
		{name: "own that another overlaps", net: dual, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.2"}, {key: "10.5.3.0-24&fc00:5:0:3::-64", public: "10.0.0.1", owner: me}},
			want: "10.5.9.0-24&fc00:5:0:3::-64", why: ReasonOwn, drop: "10.5.3.0-24&fc00:5:0:3::-64"},

		{name: "IPv6 joins", net: dual, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me}},
			want: "10.5.3.0-24&fc00:5:0:8::-64", why: ReasonOwn, drop: "10.5.3.0-24"},
		{name: "IPv6 joins a reservation", net: dual, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: me, reserved: true}},
			want: "10.5.3.0-24&fc00:5:0:8::-64", why: ReasonOwn, reserved: true, drop: "10.5.3.0-24"},
		{name: "IPv6 joins, preferred", net: dual, stored: []entry{{key: "10.5.3.0-24", public: "10.0.0.1"}}, preferred: []string{"fc00:5:0:99::/64"},
			want: "10.5.3.0-24&fc00:5:0:99::-64", why: ReasonAdopted, drop: "10.5.3.0-24"},
		{name: "IPv4 joins", net: dual, stored: []entry{{key: "0.0.0.0-0&fc00:5:0:3::-64", public: "fd00::1", owner: me}},
			want: "10.5.8.0-24&fc00:5:0:3::-64", why: ReasonOwn, drop: "0.0.0.0-0&fc00:5:0:3::-64"},
		{name: "IPv6 leaves", net: four, stored: []entry{{key: "10.5.3.0-24&fc00:5:0:3::-64", public: "10.0.0.1", owner: me}},
			want: "10.5.3.0-24", why: ReasonOwn, drop: "10.5.3.0-24&fc00:5:0:3::-64"},
		{name: "one family fits", net: dual, stored: []entry{{key: "10.6.3.0-24&fc00:5:0:3::-64", public: "10.0.0.1", owner: me}},
			want: "10.5.8.0-24&fc00:5:0:3::-64", why: ReasonOwn, rest: "10.6.3.0-24&fc00:5:0:3::-64>10.6.3.0-24"},

		{name: "preferred", net: four, preferred: []string{"10.5.72.1/24"}, want: "10.5.72.0-24", why: ReasonPreferred},
		{name: "preferred, both", net: dual, preferred: []string{"10.5.72.1/24", "fc00:5:0:7::1/64"}, want: "10.5.72.0-24&fc00:5:0:7::-64", why: ReasonPreferred},
		{name: "preferred, second one fits", net: four, preferred: []string{"10.6.72.1/24", "10.5.72.1/24"}, want: "10.5.72.0-24", why: ReasonPreferred},
		{name: "preferred is another's", net: four, stored: []entry{{key: "10.5.72.0-24", public: "10.0.0.2", owner: another}}, preferred: []string{"10.5.72.1/24"},
			want: "10.5.8.0-24", why: ReasonFree},
		{name: "preferred is part of another's", net: four, stored: []entry{{key: "10.5.72.0-22", public: "10.0.0.2"}}, preferred: []string{"10.5.73.0/24"},
			want: "10.5.8.0-24", why: ReasonFree},
		{name: "preferred is on the uplink", net: four, preferred: []string{"10.5.72.1/24"}, avoid: []string{"10.5.72.128/25"}, want: "10.5.8.0-24", why: ReasonFree},
		{name: "preferred is an open reservation", net: four, stored: []entry{{key: "10.5.72.0-24", reserved: true}}, preferred: []string{"10.5.72.1/24"},
			want: "10.5.72.0-24", why: ReasonReserved, had: true, reserved: true},
		{name: "preferred is half an open reservation", net: dual, stored: []entry{{key: "10.5.72.0-24&fc00:5:0:7::-64", reserved: true}}, preferred: []string{"fc00:5:0:7::/64"},
			want: "10.5.72.0-24&fc00:5:0:7::-64", why: ReasonReserved, had: true, reserved: true},
		{name: "open reservation joined by IPv6", net: dual, stored: []entry{{key: "10.5.72.0-24", reserved: true}}, preferred: []string{"10.5.72.1/24"},
			want: "10.5.72.0-24&fc00:5:0:8::-64", why: ReasonReserved, reserved: true, drop: "10.5.72.0-24"},
		{name: "preferred lies in a reserved block", net: four, stored: []entry{{key: "10.5.72.0-22", reserved: true}}, preferred: []string{"10.5.72.0/24"},
			want: "10.5.8.0-24", why: ReasonFree},
		{name: "preferred is reserved for a host", net: four, stored: []entry{{key: "10.5.72.0-24", owner: another, reserved: true}}, preferred: []string{"10.5.72.0/24"},
			want: "10.5.8.0-24", why: ReasonFree},
		{name: "lease without address is no reservation", net: four, stored: []entry{{key: "10.5.72.0-24"}}, preferred: []string{"10.5.72.0/24"},
			want: "10.5.8.0-24", why: ReasonFree},

		{name: "free around leases of any length", net: four, stored: []entry{{key: "10.5.1.0-28", public: "10.0.0.2"}, {key: "10.5.0.0-22", public: "10.0.0.3"}, {key: "10.5.4.128-25", public: "10.0.0.4"}},
			want: "10.5.12.0-24", why: ReasonFree},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, owners := stored(t, c.stored)
			public := c.public
			if public == "" {
				public = "10.0.0.1 fd00::1"
			}
			claim := Claim{Owner: me, Attrs: Attrs{Public: addrs(strings.Fields(public)...), Backend: "vxlan"}, Preferred: prefixes(c.preferred...), Avoid: prefixes(c.avoid...), Local: prefixes(c.local...)}
			got, err := Choose(network(t, c.net), all, owners, claim, 7)
			if err != nil {
				t.Fatal(err)
			}
			var drop []string
			for _, l := range got.Drop {
				drop = append(drop, Key(l.Subnets))
			}
			var rest []string
			for _, r := range got.Draining {
				of, left := Key(r.Of.Subnets), Key(r.Subnets)
				if left != of {
					of += ">" + left
				}
				rest = append(rest, of)
			}
			if key := Key(got.Lease.Subnets); key != c.want || got.Why != c.why || got.Had != c.had || got.Lease.Reserved != c.reserved || strings.Join(drop, " ") != c.drop || strings.Join(rest, " ") != c.rest {
				t.Errorf("got  %s, %s, had %v, reserved %v, drop %v, rest %v\nwant %s, %s, had %v, reserved %v, drop [%s], rest [%s]",
					key, got.Why, got.Had, got.Lease.Reserved, drop, rest, c.want, c.why, c.had, c.reserved, c.drop, c.rest)
			}
			if got.Lease.Backend != "vxlan" {
				t.Errorf("the lease does not carry the claim's attributes: %+v", got.Lease)
			}
		})
	}
}

func TestChooseRefusesATakenAddress(t *testing.T) {
	for _, c := range []struct {
		name   string
		stored []entry
		taken  string // address; "" if the claim is fine
	}{
		{"another host", []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: another}}, "10.0.0.1"},
		{"same name, other machine", []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: twin}}, "10.0.0.1"},
		{"second family", []entry{{key: "10.5.3.0-24", public: "10.0.0.2 fd00::1", owner: another}}, "fd00::1"},
		{"out of the network", []entry{{key: "10.9.3.0-24", public: "10.0.0.1", owner: another}}, "10.0.0.1"},
		{"although there is an own lease", []entry{{key: "10.5.2.0-24", public: "10.0.0.8", owner: me}, {key: "10.5.3.0-24", public: "10.0.0.1", owner: another}}, "10.0.0.1"},
		{"other address", []entry{{key: "10.5.3.0-24", public: "10.0.0.2", owner: another}}, ""},
	} {
		all, owners := stored(t, c.stored)
		claim := Claim{Owner: me, Attrs: Attrs{Public: addrs("10.0.0.1", "fd00::1")}}
		got, err := Choose(network(t, four), all, owners, claim, 7)
		if c.taken == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		taken, ok := errors.AsType[*AddressTakenError](err)
		if !ok {
			t.Errorf("%s: got %+v, %v; want an AddressTakenError", c.name, got, err)
			continue
		}
		last := c.stored[len(c.stored)-1]
		if taken.Addr != netip.MustParseAddr(c.taken) || taken.Holder != last.owner || Key(taken.Held) != last.key {
			t.Errorf("%s: %+v", c.name, taken)
		}
		for _, word := range []string{c.taken, last.owner.Hostname, last.key, "--public-ip"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not name %q", c.name, err, word)
			}
		}
	}
}

func TestChooseWithoutID(t *testing.T) {
	all, owners := stored(t, []entry{{key: "10.5.3.0-24", public: "10.0.0.2", owner: Owner{Hostname: "beta"}}})
	got, err := Choose(network(t, four), all, owners, Claim{Attrs: Attrs{Public: addrs("10.0.0.1")}}, 2)
	if err != nil || Key(got.Lease.Subnets) != "10.5.4.0-24" || got.Had {
		t.Errorf("an empty ID in claim and record made them one host: %+v, %v", got, err)
	}
}
