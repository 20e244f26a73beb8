package cli

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-net/weft/internal/netconf"
)

// exceptions is the value of --ip-masq-except.
type exceptions struct{ to *trafficSettings }

// String is the list as it may be given.
func (e *exceptions) String() string {
	if e.to == nil {
		return ""
	}
	var words []string
	for _, p := range e.to.except {
		words = append(words, p.String())
	}
	if e.to.exceptNodes {
		words = append(words, netconf.NodesName)
	}
	return strings.Join(words, ",")
}

// Type is the word for a value in the usage.
func (e *exceptions) Type() string { return "CIDR|nodes" }

// Set adds to the list.
func (e *exceptions) Set(s string) error {
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if word == netconf.NodesName {
			e.to.exceptNodes = true
			continue
		}
		p, err := netip.ParsePrefix(word)
		if err != nil || p.Addr().Is4In6() {
			return fmt.Errorf("%q must be a CIDR, such as 192.168.0.0/16, or %q", word, netconf.NodesName)
		}
		e.to.except = append(e.to.except, p.Masked())
	}
	return nil
}
