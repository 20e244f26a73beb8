package netstate

import (
	"fmt"
	"strings"
)

// ListTable returns a table as `nft list table inet NAME` prints it, with all
// counters at zero.
func (f *Firewall) ListTable(name string) string {
	var blocks []string
	for s := range f.Sets.All() {
		if s.Table == name {
			blocks = append(blocks, f.listSet(s))
		}
	}
	for c := range f.Chains.All() {
		if c.Table == name {
			blocks = append(blocks, f.listChain(c))
		}
	}
	return "table inet " + name + " {\n" + strings.Join(blocks, "\n") + "}\n"
}

// How nft(8) breaks the lines of a list of addresses.
const listIndent = ",\n\t\t\t     "

var perLine = map[string]int{TypeIPv4: 2, TypeIPv6: 1}

func (f *Firewall) listSet(s Set) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\tset %s {\n\t\ttype %s\n", s.Name, s.Type)
	if s.Interval {
		b.WriteString("\t\tflags interval\n")
	}
	n := 0
	for e := range f.Elements.All() {
		if e.Table != s.Table || e.Set != s.Name {
			continue
		}
		switch {
		case n == 0:
			b.WriteString("\t\telements = { ")
		case n%perLine[s.Type] == 0:
			b.WriteString(listIndent)
		default:
			b.WriteString(", ")
		}
		b.WriteString(shortPrefix(e.Prefix))
		n++
	}
	if n > 0 {
		b.WriteString(" }\n")
	}
	b.WriteString("\t}\n")
	return b.String()
}

func (f *Firewall) listChain(c Chain) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\tchain %s {\n\t\ttype %s hook %s priority %s; policy %s;\n", c.Name, c.Type, c.Hook, priorityName(c.Priority), c.policy())
	for r := range f.Rules.All() {
		if r.Table == c.Table && r.Chain == c.Name {
			b.WriteString("\t\t" + r.Body.text("counter packets 0 bytes 0") + "\n")
		}
	}
	b.WriteString("\t}\n")
	return b.String()
}

// priorities are the names that nft(8) gives to priorities of family inet, at
// hooks other than prerouting.
var priorities = []struct {
	name  string
	value int32
}{{"raw", -300}, {"mangle", -150}, {"filter", 0}, {"security", 50}, {"srcnat", 100}}

// priorityName names a priority by the nearest standard one within ten.
func priorityName(p int32) string {
	for _, std := range priorities {
		switch d := p - std.value; {
		case d == 0:
			return std.name
		case d > 0 && d <= 10:
			return fmt.Sprintf("%s + %d", std.name, d)
		case d < 0 && d >= -10:
			return fmt.Sprintf("%s - %d", std.name, -d)
		}
	}
	return fmt.Sprint(p)
}
