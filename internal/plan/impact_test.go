package plan_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

// impactHosts are two hosts on one segment, a third behind a router, one that
// is set up by flanneld, and a reservation that nobody has claimed.
func impactHosts() (lease.Set, lease.HostSet) {
	lease1 := func(n int, public string) lease.Lease {
		return lease.Lease{
			Subnets: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.5.%d.0/24", n))},
			Attrs: lease.Attrs{
				Public: []netip.Addr{netip.MustParseAddr(public)}, Backend: "vxlan",
				Data: lease.Data{V4: fmt.Appendf(nil, `{"VNI":1,"VtepMAC":"02:00:00:00:00:%02x"}`, n)},
			},
		}
	}
	host := func(n int, segment string) lease.Host {
		return lease.Host{Lease: fmt.Sprintf("10.5.%d.0-24", n), Name: fmt.Sprintf("h%d", n), OnLink: []netip.Prefix{netip.MustParsePrefix(segment)}, MTU: 1500}
	}
	leases := []lease.Lease{
		lease1(1, "10.4.7.21"), lease1(2, "10.4.7.22"), lease1(3, "10.4.8.23"), lease1(4, "10.4.7.24"),
		{Subnets: []netip.Prefix{netip.MustParsePrefix("10.5.9.0/24")}, Reserved: true},
		lease1(5, "10.4.7.21"), // of h1, draining: it does not describe itself there
	}
	return lease.SetOf(leases...), lease.HostSetOf(host(1, "10.4.7.0/24"), host(2, "10.4.7.0/24"), host(3, "10.4.8.0/24"))
}

func TestImpactOf(t *testing.T) {
	const vxlan = `{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}`
	tests := []struct{ name, before, after, want string }{
		{"the same", vxlan, vxlan, ""},
		{"DirectRouting", vxlan, `{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan", "DirectRouting": true}}`, ""},
		{"the first config", ``, vxlan, ""},
		{"host-gw", vxlan, `{"Network": "10.5.0.0/16", "Backend": {"Type": "host-gw"}}`, `
cut h3 (10.4.8.23) from h1 (10.4.7.21), h2 (10.4.7.22), 10.4.7.24
cut h1 (10.4.7.21) from h3 (10.4.8.23)
cut h2 (10.4.7.22) from h3 (10.4.8.23)
restart 10.4.7.24
unsaid 10.4.7.24`},
		{"another VNI and MTU", vxlan, `{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan", "VNI": 2, "MTU": 1400}}`, `
shrink h1 (10.4.7.21) 1450 1350
shrink h2 (10.4.7.22) 1450 1350
shrink h3 (10.4.8.23) 1450 1350
restart 10.4.7.24`},
		{"from host-gw", `{"Network": "10.5.0.0/16", "Backend": {"Type": "host-gw"}}`, vxlan, `
shrink h1 (10.4.7.21) 1500 1450
shrink h2 (10.4.7.22) 1500 1450
shrink h3 (10.4.8.23) 1500 1450`},
		{"fewer subnets", vxlan, `{"Network": "10.5.0.0/16", "SubnetMax": "10.5.3.0", "Backend": {"Type": "vxlan"}}`, `
restart 10.4.7.24
drain 10.5.4.0/24
drain 10.5.5.0/24`},
	}
	for _, tt := range tests {
		var before netconf.Network
		if tt.before != "" {
			before = parse(t, tt.before)
		}
		leases, hosts := impactHosts()
		i := plan.ImpactOf(before, parse(t, tt.after), leases, hosts)
		if got := formatImpact(i); got != strings.TrimSpace(tt.want) {
			t.Errorf("%s (-want +got):\n%s", tt.name, cmp.Diff(strings.TrimSpace(tt.want), got))
		}
		if i.Harmless() != (tt.want == "") {
			t.Errorf("%s: harmless %t", tt.name, i.Harmless())
		}
	}
}

func parse(t *testing.T, doc string) netconf.Network {
	t.Helper()
	net, err := netconf.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func formatImpact(i plan.Impact) string {
	var out []string
	for _, c := range i.Cut {
		var from []string
		for _, m := range c.From {
			from = append(from, m.String())
		}
		out = append(out, fmt.Sprintf("cut %s from %s", c.Member, strings.Join(from, ", ")))
	}
	for _, s := range i.Shrink {
		out = append(out, fmt.Sprintf("shrink %s %d %d", s.Member, s.From, s.To))
	}
	for _, m := range i.Restart {
		out = append(out, fmt.Sprint("restart ", m))
	}
	for _, l := range i.Drain {
		out = append(out, "drain "+lease.FormatSubnets(l.Subnets))
	}
	for _, m := range i.Unsaid {
		out = append(out, fmt.Sprint("unsaid ", m))
	}
	return strings.Join(out, "\n")
}
