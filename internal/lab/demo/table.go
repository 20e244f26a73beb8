package demo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/weft-net/weft/internal/lab"
)

// WriteTable writes one table a family of who reached whom, by which path and with how many of the
// pings answered. A row is a sender, a column a receiver.
func WriteTable(w io.Writer, legs []Leg) error {
	for _, is6 := range []bool{false, true} {
		var own []Leg
		for _, leg := range legs {
			if leg.Is6 == is6 {
				own = append(own, leg)
			}
		}
		if len(own) == 0 {
			continue
		}
		if err := writeFamily(w, own, is6); err != nil {
			return err
		}
	}
	return nil
}

func writeFamily(w io.Writer, legs []Leg, is6 bool) error {
	family := "IPv4"
	if is6 {
		family = "IPv6"
	}
	pods := podsOf(legs)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	head := family + " from \\ to"
	for _, p := range pods {
		head += "\t" + label(p)
	}
	fmt.Fprintln(t, head)
	for _, from := range pods {
		fmt.Fprintln(t, label(from)+"\t"+strings.Join(cells(legs, from, pods), "\t"))
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// label names a pod with its host, since a path is between hosts.
func label(p *lab.Pod) string { return p.Name + " on " + p.Host.Name }

func cells(legs []Leg, from *lab.Pod, pods []*lab.Pod) []string {
	var out []string
	for _, to := range pods {
		i := slices.IndexFunc(legs, func(l Leg) bool { return l.From == from && l.To == to })
		if i < 0 {
			out = append(out, "-")
			continue
		}
		out = append(out, fmt.Sprintf("%s %d/%d", legs[i].Path(), legs[i].Received, legs[i].Sent))
	}
	return out
}

func podsOf(legs []Leg) []*lab.Pod {
	var out []*lab.Pod
	for _, leg := range legs {
		if !slices.Contains(out, leg.From) {
			out = append(out, leg.From)
		}
	}
	return out
}

// WriteRoutes writes the routes of the first host with an agent.
func WriteRoutes(w io.Writer, l *lab.Lab) error {
	host, err := l.Host(agentHosts(l)[0])
	if err != nil {
		return err
	}
	lines, err := host.Routes()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "Routes on %s:\n  %s\n", host.Name, strings.Join(lines, "\n  "))
	return err
}
