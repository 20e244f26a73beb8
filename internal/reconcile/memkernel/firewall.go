package memkernel

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netstate"
)

// ownRules drops from f what scope does not ask for.
func ownRules(f *netstate.FirewallBuilder, scope netstate.Scope) {
	for _, t := range slices.Clone(f.Tables) {
		if scope.Table(t.Name, about(f, t.Name)) {
			scope = scope.WithTables(t.Name)
			continue
		}
		f.Tables = slices.DeleteFunc(f.Tables, func(o netstate.NFTable) bool { return o == t })
		f.Sets = slices.DeleteFunc(f.Sets, func(o netstate.Set) bool { return o.Table == t.Name })
		f.Elements = slices.DeleteFunc(f.Elements, func(o netstate.Element) bool { return o.Table == t.Name })
		f.Chains = slices.DeleteFunc(f.Chains, func(o netstate.Chain) bool { return o.Table == t.Name })
		f.Rules = slices.DeleteFunc(f.Rules, func(o netstate.Rule) bool { return o.Table == t.Name })
	}
	f.HookRules = slices.DeleteFunc(f.HookRules, func(o netstate.HookRule) bool {
		return !scope.HookRule(o.Body.Comment, o.Body.Prefixes())
	})
}

// about returns the prefixes that rules of a table match.
func about(f *netstate.FirewallBuilder, table string) (out []netip.Prefix) {
	for _, r := range f.Rules {
		if r.Table == table {
			out = append(out, r.Body.Prefixes()...)
		}
	}
	return out
}
