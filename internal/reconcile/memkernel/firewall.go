package memkernel

import (
	"regexp"
	"slices"

	"github.com/weft-net/weft/internal/netstate"
)

var tableName = regexp.MustCompile(`^weft(\.[0-9]+)?$`)

// ownRules drops from f what scope does not ask for.
func ownRules(f *netstate.FirewallBuilder, scope netstate.Scope) {
	mine := func(name string) bool {
		return slices.Contains(scope.Tables, name) || tableName.MatchString(name) && about(f, name, scope)
	}
	for _, t := range slices.Clone(f.Tables) {
		if mine(t.Name) {
			continue
		}
		f.Tables = slices.DeleteFunc(f.Tables, func(o netstate.NFTable) bool { return o == t })
		f.Sets = slices.DeleteFunc(f.Sets, func(o netstate.Set) bool { return o.Table == t.Name })
		f.Elements = slices.DeleteFunc(f.Elements, func(o netstate.Element) bool { return o.Table == t.Name })
		f.Chains = slices.DeleteFunc(f.Chains, func(o netstate.Chain) bool { return o.Table == t.Name })
		f.Rules = slices.DeleteFunc(f.Rules, func(o netstate.Rule) bool { return o.Table == t.Name })
	}
	f.Foreign = slices.DeleteFunc(f.Foreign, func(o netstate.Foreign) bool {
		return !mine(o.Body.Comment) && !holds(scope, o.Body)
	})
}

// about reports whether rules of a table name a network of the scope.
func about(f *netstate.FirewallBuilder, table string, scope netstate.Scope) bool {
	return slices.ContainsFunc(f.Rules, func(r netstate.Rule) bool { return r.Table == table && holds(scope, r.Body) })
}

func holds(scope netstate.Scope, b netstate.Body) bool {
	return b.Src.Prefix.IsValid() && scope.Holds(b.Src.Prefix) || b.Dst.Prefix.IsValid() && scope.Holds(b.Dst.Prefix)
}
