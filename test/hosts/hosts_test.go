package hosts

import (
	"fmt"
	"testing"

	"github.com/weft-net/weft/internal/lab"
)

// order says whether the agents start before or after the hosts are set up.
type order string

const (
	agentFirst order = "before"
	agentLast  order = "after"
)

// variant is one way through a trial: which network, and in which order its backends come.
type variant struct {
	family   string // of the network: ipv4, ipv6 or dual
	backends []backend
}

// TestHosts sets hosts up in every way of the table and demands that all pods reach each other, by every
// backend, and that nothing is left after weft clean. Select with -run TestHosts/NAME/before|after.
func TestHosts(t *testing.T) {
	for _, c := range table(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, o := range []order{agentLast, agentFirst} {
				for _, v := range variants(c, o) {
					name := string(o)
					if *full {
						name = fmt.Sprintf("%s/%s/%s", o, v.family, v.backends[0])
					}
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						try(t, c, o, v)
					})
				}
			}
		})
	}
}

// variants are those of one order. Backends change under running agents, so one lab tries them all; the
// first of them is in force when the agents start, and where they start first, when the host is set up.
func variants(c configuration, o order) []variant {
	if !*full {
		if o == agentLast {
			return []variant{{c.family(), []backend{vxlan, hostGW, direct}}}
		}
		return []variant{{c.family(), []backend{direct, vxlan, hostGW}}}
	}
	var out []variant
	families := []string{c.family()}
	if families[0] == "dual" {
		families = append(families, "ipv4", "ipv6")
	}
	for _, family := range families {
		for i := range backends {
			out = append(out, variant{family, append(backends[i:len(backends):len(backends)], backends[:i]...)})
		}
	}
	return out
}

// try goes one way through one configuration.
func try(t *testing.T, c configuration, o order, v variant) {
	t.Logf("%s", c.about)
	tr := build(t, c)
	var bare map[string]string // what hosts are like without weft
	switch o {
	case agentLast:
		tr.setUp("")
		bare = tr.states()
	case agentFirst:
		// A lab without agents shows what the hosts are to be like in the end.
		reference := build(t, c)
		reference.setUp("")
		bare = reference.states()
		reference.end()
	}
	tr.startStore(networkDoc(v.family, v.backends[0]))
	tr.startAgents()
	if o == agentFirst {
		tr.setUp("")
	}
	tr.addPods()
	for i, b := range v.backends {
		ok := t.Run(string(b), func(t *testing.T) {
			tr := tr.in(t)
			if i > 0 {
				tr.configure(networkDoc(v.family, b))
			}
			tr.settle(b, v.family)
			if i == 0 && tr.setUp(".event") {
				tr.settle(b, v.family)
			}
		})
		if !ok {
			return
		}
	}
	tr.setUp(".undo")
	tr.clean()
	tr.compare(o, bare)
}

// networkDoc is the network config. The last quarter of it is left for other networks of the hosts.
func networkDoc(family string, b backend) string {
	v4, v6 := family != "ipv6", family != "ipv4"
	return fmt.Sprintf(`{"Network": "172.7.0.0/16", "SubnetMax": "172.7.191.0", "EnableIPv4": %t, "EnableIPv6": %t, "IPv6Network": "fd17:7::/48", "Backend": %s}`, v4, v6, b.json())
}

// topology is two hosts on one segment, one on another, and the store, with a router between.
func topology() lab.Topology {
	t := lab.Demo()
	for i, h := range t.Hosts {
		if h.Name == "h4" {
			t.Hosts = append(t.Hosts[:i], t.Hosts[i+1:]...)
			break
		}
	}
	return t
}
