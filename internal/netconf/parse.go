package netconf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Parse reads the network config document. The keys, their defaults and what
// is refused are flannel's, in every mode alike; keys match without regard to
// case. Unknown keys are listed in Network.Unknown. The error
// names every wrong key, one a line, with its value and what would be right.
func Parse(doc []byte) (Network, error) {
	doc = bytes.TrimPrefix(doc, []byte("\ufeff")) // a byte order mark, as some editors write
	if err := checkObject(doc); err != nil {
		return Network{}, fmt.Errorf("network config: %w", err)
	}
	o := newObject("", doc)
	enabled := map[Family]bool{V4: o.bool("EnableIPv4", true), V6: o.bool("EnableIPv6", false)}
	net := Network{NFTables: o.bool("EnableNFTables", false)}
	for _, f := range Families {
		keys := readRange(o, f)
		if !enabled[f] || !keys.ok {
			continue
		}
		if r, ok := keys.check(o); ok {
			net.Ranges = append(net.Ranges, r)
		}
	}
	if !enabled[V4] && !enabled[V6] {
		o.refuse("EnableIPv4", false, "one of EnableIPv4 and EnableIPv6 must be true")
	}
	var rest []string
	net.Backend, rest = parseBackend(o, enabled[V6])
	net.Guard = o.bool("Guard", true)
	var more []string
	net.Masquerade, more = parseMasquerade(o, net.Ranges)
	rest = append(rest, more...)
	net.Probe, more = parseProbe(o)
	rest = append(rest, more...)
	net.PeerPort = uint16(o.uint("PeerPort", 0, 1, 65535, true))
	net.FastPath = parseFastPath(o)
	if len(o.errs) > 0 {
		return Network{}, fmt.Errorf("network config: %w", errors.Join(o.errs...))
	}
	net.Unknown, net.Unused = sortOut(append(rest, o.rest()...))
	net.Repeated = o.repeated
	return net, nil
}

// checkObject returns nil if doc is one JSON object and nothing else.
func checkObject(doc []byte) error {
	trimmed := bytes.TrimSpace(doc)
	if len(trimmed) == 0 {
		return fmt.Errorf("the document is empty; the least is {\"Network\": %q}", examples[V4].network)
	}
	var raw json.RawMessage
	if err := json.Unmarshal(doc, &raw); err != nil {
		syntax, ok := errors.AsType[*json.SyntaxError](err)
		if !ok {
			return fmt.Errorf("not JSON: %w", err)
		}
		line, column := position(doc, syntax.Offset)
		return fmt.Errorf("not JSON: line %d, column %d: %w", line, column, err)
	}
	if trimmed[0] != '{' {
		return fmt.Errorf("%s is not a JSON object, such as {\"Network\": %q}", shorten(trimmed), examples[V4].network)
	}
	return nil
}

// position returns the line and column of the offset-th byte of doc, both from 1.
func position(doc []byte, offset int64) (line, column int) {
	before := doc[:max(0, min(offset-1, int64(len(doc))))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}
