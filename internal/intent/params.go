package intent

import (
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// Overwritten is the kernel parameters that the agent has set to something else
// than they were, with what they were: 'weft clean' puts that back. Those of
// weft's own devices are not among them: they go with the devices.
type Overwritten struct {
	Boot   string      `json:"boot"` // lease.Owner.Boot: no parameter outlives a boot
	Params []Parameter `json:"params"`
}

// Parameter is a kernel parameter that the agent has changed.
type Parameter struct {
	Name string `json:"name"` // as in netstate.Sysctl
	Was  string `json:"was"`  // before
	Now  string `json:"now"`  // since
}

// Since returns o if it is of that boot, else none.
func (o Overwritten) Since(boot string) Overwritten {
	if o.Boot != boot {
		return Overwritten{Boot: boot}
	}
	return o
}

// Names lists the parameters.
func (o Overwritten) Names() []string {
	var out []string
	for _, p := range o.Params {
		out = append(out, p.Name)
	}
	return out
}

// Former returns the parameters as they were, but for those that another program
// has changed since. have is as they are.
func (o Overwritten) Former(have *netstate.State) []netstate.Sysctl {
	var out []netstate.Sysctl
	for _, p := range o.Params {
		if now, ok := have.Sysctls.Find(netstate.Sysctl{Name: p.Name}); ok && now.Value == p.Now {
			out = append(out, netstate.Sysctl{Name: p.Name, Value: p.Was})
		}
	}
	return out
}

// with returns o with p, without changing what o shares. A later value of
// somebody else's takes the place of an earlier one.
func (o Overwritten) with(p Parameter) Overwritten {
	o.Params = slices.Clone(o.Params)
	i, known := slices.BinarySearchFunc(o.Params, p.Name, func(p Parameter, name string) int {
		return netstate.Sysctl{Name: p.Name}.Compare(netstate.Sysctl{Name: name})
	})
	if known {
		o.Params[i] = p
	} else {
		o.Params = slices.Insert(o.Params, i, p)
	}
	return o
}

// overwriting returns o with what the kernel has otherwise than desired wants it.
func (o Overwritten) overwriting(have host.Params, desired *netstate.State) Overwritten {
	for want := range desired.Sysctls.All() {
		was, known := have[want.Name]
		if !known || want.Allows(was) || belongsTo(desired, want) {
			continue
		}
		o = o.with(Parameter{Name: want.Name, Was: was, Now: want.Value})
		for _, p := range consequences(have, want.Name) {
			o = o.with(p)
		}
	}
	return o
}

// belongsTo reports whether a parameter is of a device of desired, or of one that
// was.
func belongsTo(desired *netstate.State, s netstate.Sysctl) bool {
	_, own := desired.Links.Find(netstate.Link{Name: s.Dev()})
	return own || owned.IsDeviceName(s.Dev())
}

// consequences are the parameters that the kernel changes by itself when that
// one is set to 1, and again when it is put back: turning forwarding on for all
// devices turns it on for each, and makes of an IPv4 host one that takes no
// redirects (inet_forward_change in net/ipv4/devinet.c, addrconf_fixup_forwarding
// in net/ipv6/addrconf.c).
func consequences(have host.Params, name string) []Parameter {
	var out []Parameter
	for _, f := range netconf.Families {
		if name != host.Forwarding(f) {
			continue
		}
		for _, other := range have.Forwarding(f) {
			out = append(out, Parameter{Name: other, Was: have[other], Now: "1"})
		}
		redirects := f.Conf("all", "accept_redirects")
		if was, ok := have[redirects]; ok && f == netconf.V4 {
			out = append(out, Parameter{Name: redirects, Was: was, Now: "0"})
		}
	}
	return out
}

// overwrote notes what repairs have changed parameters from: others want them so
// now. Whoever turns forwarding off may also have turned redirects off, which
// cannot be told from what the kernel does: they stay off.
func (t *step) overwrote(params []Parameter) {
	s := t.state
	for _, p := range params {
		if s.desired == nil || belongsTo(s.desired, netstate.Sysctl{Name: p.Name}) {
			continue
		}
		s.overwritten = s.overwritten.with(p)
		if p.Name == host.Forwarding(netconf.V4) {
			s.overwritten = s.overwritten.with(Parameter{Name: netconf.V4.Conf("all", "accept_redirects"), Was: "0", Now: "0"})
		}
	}
}
