package explain_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/explain/explaintest"
	"github.com/weft-net/weft/internal/netdump"
)

// fastRows have a fast path for the container 10.5.1.2 to h3, and none to h2.
const fastRows = explaintest.PlanText + `fastpath weft mode all dev eth0 vni 1 local 192.168.7.21 port 8472 mac 02:00:00:00:00:01 code 0123456789abcdef
fastremote weft 10.5.3.0/24 host 192.168.8.23 mac 02:00:00:00:00:03 mtu 1400
fastpod weft 10.5.1.2 dev cni0 mac 02:00:00:00:01:02 via 02:00:00:00:01:01 mtu 1450
fastbridge weft 10.5.1.64/26 dev cni0 mtu 1350
fasthook weft cni0 pod
fasthook weft eth0 uplink
`

func TestFastPath(t *testing.T) {
	const tcp, udp = 6, 17
	established := strings.ReplaceAll(fastRows, "mode all", "mode established")
	note := func(text string) func(*explain.Facts) {
		return func(f *explain.Facts) {
			f.Status.Problems = append(f.Status.Problems, api.Problem{Subject: "fast path", Message: text, Severity: api.SeverityNote})
		}
	}
	service := func(f *explain.Facts) {
		chain(f, "ip nat PREROUTING prerouting -100", dnat(3, "10.5.3.9", true))
		f.Kernel.Firewall.Chains[0].Type = "nat"
	}
	for name, c := range map[string]struct {
		plan, src, dst string
		proto          uint8
		change         func(*explain.Facts)
		want           string // "": no station
	}{
		"off":                  {explaintest.PlanText, "10.5.1.2", "10.5.3.9", tcp, nil, ""},
		"not possible":         {explaintest.PlanText, "10.5.1.2", "10.5.3.9", tcp, note("packets between pods take the kernel's own path: this kernel has no tcx hooks; see the guide for what"), "kernel's path: this kernel has no tcx hooks"},
		"TCP":                  {fastRows, "10.5.1.2", "10.5.3.9", tcp, nil, "programs carry it, in place"},
		"UDP that arrives":     {fastRows, "10.5.3.9", "10.5.1.2", udp, nil, "larger than 1400 bytes"},
		"established":          {established, "10.5.1.2", "10.5.3.9", tcp, note("connections take the kernel's own path until they are established: iptables chain F; see the guide"), "established, in place of routing, firewall and tunnel; iptables chain F; except"},
		"ICMP":                 {fastRows, "10.5.1.2", "10.5.3.9", 0, nil, "kernel's path: it is neither TCP nor UDP"},
		"another pod":          {fastRows, "10.5.3.9", "10.5.1.3", tcp, nil, "kernel's path: 10.5.1.3 is neither a pod of CNI type weft"},
		"on a bridge":          {fastRows, "10.5.3.9", "10.5.1.70", tcp, nil, "larger than 1350 bytes"},
		"another way":          {fastRows, "10.5.1.2", "10.5.2.9", tcp, nil, "kernel's path: programs cannot carry packets to 10.5.2.0/24"},
		"a service":            {fastRows, "10.5.1.2", "10.96.0.10", tcp, service, "kernel's path: its destination is translated"},
		"to the peer's host":   {fastRows, "10.5.1.2", "192.168.8.23", tcp, nil, ""},
		"from this host":       {fastRows, "192.168.7.21", "10.5.3.9", tcp, nil, ""},
		"within the container": {fastRows, "10.5.1.2", "10.5.1.3", tcp, nil, ""},
	} {
		f := explaintest.Facts()
		f.Plan = explaintest.Plan(c.plan)
		if c.change != nil {
			c.change(&f)
		}
		q := explain.Query{Src: netip.MustParseAddr(c.src), Dst: netip.MustParseAddr(c.dst), Proto: c.proto, Port: 80}
		if c.proto == 0 {
			q.Port = 0
		}
		r, err := explain.Explain(f, q, func(q netdump.Question) (netdump.Answer, error) { return f.Kernel.Lookup(q), nil })
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range r.Stations {
			if s.Name == "fast path" {
				got += string(s.State) + " " + s.Object + " " + s.Note
			}
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
