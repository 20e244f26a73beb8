package owned

import (
	"net/netip"
	"testing"
)

// one is the scope of an agent, other that of an agent for another network on the same host.
var (
	one = Scope{
		Networks: prefixes("10.5.0.0/16", "fd05::/48"), Links: []string{"flannel.1"}, Tables: []string{"weft"},
	}
	other = Scope{Networks: prefixes("10.6.0.0/16"), Links: []string{"flannel.2"}, Tables: []string{"weft.blue"}}
)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// forgetful is s as it is known without what is wanted.
func forgetful(s Scope) Scope { return Scope{Networks: s.Networks} }

// TestWhoseItIs has one object a line, and says for which agents it is theirs:
// with what is wanted known, and by the network alone.
func TestWhoseItIs(t *testing.T) {
	for _, tc := range []struct {
		object                     string
		is                         func(Scope) bool
		ones, without, others, its bool // one, one without memory, other, other without memory
	}{
		{"a device that is wanted, without an address", device("flannel.1"), true, false, false, false},
		{"a device with an address in the network", device("flannel.1", "10.5.1.0/32"), true, true, false, false},
		{"a device of the other's", device("flannel.2", "10.6.1.0/32"), false, false, true, true},
		{"a device that makes room for another port", device("w6-1-2118", "fd05:0:0:1::/128"), true, true, false, false},
		{"a device of flannel's name for a third network", device("flannel.3", "10.7.1.0/32"), false, false, false, false},
		{"a device of somebody else's with an address in the network", device("cni0", "10.5.1.1/24"), false, false, false, false},

		{"a table that is wanted, empty", table("weft"), true, false, false, false},
		{"a table about the network", table("weft", "10.5.0.0/16"), true, true, false, false},
		{"a table an operator has named", table("weft.blue", "10.6.0.0/16"), false, false, true, true},
		{"a table about a subnet of the network", table("weft.old", "224.0.0.0/4", "fd05::/64"), true, true, false, false},
		{"a table of somebody else's about the network", table("filter", "10.5.0.0/16"), false, false, false, false},
		{"a table about what holds the network", table("weft.7", "10.0.0.0/8"), false, false, false, false},

		{"a rule with the table's name", rule("weft"), true, false, false, false},
		{"a rule with the other's name about this network", rule("weft.blue", "10.5.0.0/16"), true, true, true, false},
		{"a rule with the other's name", rule("weft.blue", "10.6.0.0/16"), false, false, true, true},
		{"a rule about the network without our comment", rule("", "10.5.0.0/16"), false, false, false, false},
		{"a rule about the network with a comment that only looks like ours", rule("weft rules", "10.5.0.0/16"), false, false, false, false},

		{"flanneld's chain", abandoned("10.5.0.0/16", "224.0.0.0/4"), true, true, false, false},
		{"flanneld's chain for a third network", abandoned("10.7.0.0/16"), false, false, false, false},
		{"flanneld's chain for two networks", abandoned("10.5.0.0/16", "10.6.0.0/16"), false, false, false, false},
		{"flanneld's chain without rules", abandoned(), true, true, true, true},
	} {
		for who, is := range map[string][2]bool{
			"the agent":                  {tc.is(one), tc.ones},
			"the agent without memory":   {tc.is(forgetful(one)), tc.without},
			"the other":                  {tc.is(other), tc.others},
			"the other without a memory": {tc.is(forgetful(other)), tc.its},
		} {
			if is[0] != is[1] {
				t.Errorf("%s: %s has it: %v, want %v", tc.object, who, is[0], is[1])
			}
		}
	}
}

func device(name string, addrs ...string) func(Scope) bool {
	return func(s Scope) bool { return s.Device(name, prefixes(addrs...)) }
}

func table(name string, about ...string) func(Scope) bool {
	return func(s Scope) bool { return s.Table(name, prefixes(about...)) }
}

func rule(comment string, about ...string) func(Scope) bool {
	return func(s Scope) bool { return s.HookRule(comment, prefixes(about...)) }
}

func abandoned(about ...string) func(Scope) bool {
	return func(s Scope) bool { return s.Abandoned(prefixes(about...)) }
}

func TestWithTables(t *testing.T) {
	found := forgetful(one).WithTables("weft.blue")
	if !found.HookRule("weft.blue", nil) || forgetful(one).HookRule("weft.blue", nil) || one.WithTables("weft.blue").Equal(one) {
		t.Error("a table that was found does not tell whose a rule is")
	}
}

func TestHolds(t *testing.T) {
	for text, want := range map[string]bool{
		"10.5.0.0/16": true, "10.5.1.7/32": true, "fd05:0:0:1::/64": true, "10.0.0.0/8": false, "10.6.0.0/16": false, "::/0": false,
	} {
		if got := one.Holds(netip.MustParsePrefix(text)); got != want {
			t.Errorf("Holds(%s) = %v", text, got)
		}
	}
	if one.Holds(netip.Prefix{}) {
		t.Error("nothing is held")
	}
}
