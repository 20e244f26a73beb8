package cli

import (
	"fmt"

	"github.com/weft-net/weft/internal/netconf"
)

// compareDocuments lists key by key what changes from one config document to
// another, in the manner of diff: "~ Backend.Type: "vxlan" -> "host-gw"".
func compareDocuments(from, to []byte) []string {
	var out []string
	for _, c := range netconf.Changes(from, to) {
		switch key := oneLine(c.Key); {
		case c.From == "":
			out = append(out, fmt.Sprintf("+ %s: %s", key, c.To))
		case c.To == "":
			out = append(out, fmt.Sprintf("- %s: %s", key, c.From))
		default:
			out = append(out, fmt.Sprintf("~ %s: %s -> %s", key, c.From, c.To))
		}
	}
	return out
}
