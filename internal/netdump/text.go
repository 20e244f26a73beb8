package netdump

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// Section is one kind of objects as text, one line per object (chains have more).
type Section struct {
	Name  string
	Lines []string
}

// Sections returns all of h as text.
func (h *Host) Sections() []Section {
	out := []Section{
		{"links", lines(h.Links)}, {"addresses", lines(h.Addrs)}, {"rules", lines(h.Rules)}, {"routes", lines(h.Routes)},
		{"neighbours", lines(h.Neighs)}, {"fdb", lines(h.FDB)}, {"wireguard", lines(h.Ciphers)}, {"firewall", append(lines(h.Firewall.Sets), lines(h.Firewall.Chains)...)},
		{Name: "parameters"},
	}
	for _, name := range slices.Sorted(maps.Keys(h.Params)) {
		out[len(out)-1].Lines = append(out[len(out)-1].Lines, name+"="+h.Params[name])
	}
	return out
}

// Write writes the section's lines.
func (s Section) Write(w io.Writer) error {
	for _, line := range s.Lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func lines[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = one.String()
	}
	return out
}
