package cli

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

// preflightDocument is what storing a config would do, for programs.
type preflightDocument struct {
	header
	Changes  []preflightChange `json:"changes"`  // of keys
	Warnings []string          `json:"warnings"` // about the document
	Switch   int               `json:"switch"`   // hosts that would switch to its backend
	Hosts    int               `json:"hosts"`
	Backend  string            `json:"backend"` // in a few words
	Cut      []preflightCut    `json:"cut"`     // hosts that lose their path to others
	Unknown  []string          `json:"unknown"` // hosts that do not tell their directly connected subnets, where it matters
	Shrink   []preflightShrink `json:"shrink"`  // hosts whose containers get a smaller MTU
	Restart  []string          `json:"restart"` // hosts whose flanneld must be restarted
	Drain    []netip.Prefix    `json:"drain"`   // subnets that do not fit: their hosts get others
	Harmless bool              `json:"harmless"`
}

// preflightChange is a key whose value changes.
type preflightChange struct {
	Key  string `json:"key"`
	From string `json:"from,omitempty"` // JSON; absent: the key is added
	To   string `json:"to,omitempty"`   // JSON; absent: the key is removed
}

// preflightCut is a host, and those that it does not reach any more.
type preflightCut struct {
	Host string   `json:"host"`
	From []string `json:"from"`
}

// preflightShrink is a host whose containers' MTU becomes smaller, in bytes.
type preflightShrink struct {
	Host string `json:"host"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

func preflightOf(p proposal, warnings []string, i plan.Impact) preflightDocument {
	_, behind := plan.Stage(p.net, p.snap.Leases.Slice())
	doc := preflightDocument{
		header: newHeader("ConfigPreflight"), Warnings: warnings, Switch: len(behind), Hosts: p.snap.Leases.Len(),
		Backend: p.net.Backend.String(), Unknown: membersText(i.Unsaid), Restart: membersText(i.Restart), Harmless: i.Harmless(),
	}
	for _, c := range netconf.Changes(p.snap.Config, p.doc) {
		doc.Changes = append(doc.Changes, preflightChange{c.Key, c.From, c.To})
	}
	for _, c := range i.Cut {
		doc.Cut = append(doc.Cut, preflightCut{c.Member.String(), membersText(c.From)})
	}
	for _, s := range i.Shrink {
		doc.Shrink = append(doc.Shrink, preflightShrink{s.Member.String(), s.From, s.To})
	}
	for _, l := range i.Drain {
		doc.Drain = append(doc.Drain, l.Subnets...)
	}
	return doc
}

func membersText(list []plan.Member) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.String())
	}
	return out
}
