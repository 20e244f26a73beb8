package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/netconf"
)

// assignment matches KEY=VALUE; a document begins with a brace, and a file's
// name that looks like this can be given as ./NAME.
var assignment = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*=`)

// assignments reads the arguments that are KEY=VALUE; ok is false if none is.
func assignments(args []string) (out []netconf.Setting, ok bool) {
	for _, arg := range args {
		if !assignment.MatchString(arg) {
			continue
		}
		ok = true
		key, text, _ := strings.Cut(arg, "=")
		out = append(out, netconf.Setting{Key: spelling(key), Value: jsonOf(text)})
	}
	return out, ok
}

// jsonOf is a value as JSON: what is JSON already, as a number or a list, else
// the text as a string.
func jsonOf(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(text) // of a string, which cannot fail
	return quoted
}

// removals are the settings that remove keys.
func removals(keys []string) []netconf.Setting {
	var out []netconf.Setting
	for _, key := range keys {
		out = append(out, netconf.Setting{Key: spelling(key)})
	}
	return out
}

// spelling is the usual one of a known key, else the key as it was given.
func spelling(key string) string {
	if known := netconf.KnownKey(key); known != "" {
		return known
	}
	return key
}

// reviewDocument parses a document that is to take the place of stored, which
// may be nil. Keys that are unknown or given twice are refused unless they are
// stored already, or all is forced.
func reviewDocument(doc, stored []byte, forced bool) (net netconf.Network, warnings []string, err error) {
	net, err = netconf.Parse(doc)
	if err != nil {
		return net, nil, fmt.Errorf("the config is not valid: %w", err)
	}
	before, _ := netconf.Parse(stored) // of one that is not valid nothing is known
	var refused []error
	hint := "--force stores it as it is"
	for _, key := range net.Repeated {
		if text := fmt.Sprintf("key %s is given more than once", oneLine(key)); forced || slices.Contains(before.Repeated, key) {
			warnings = append(warnings, text+"; the last one counts")
		} else {
			refused = append(refused, errors.New(text))
		}
	}
	for _, key := range net.Unknown {
		if text := "unknown key " + oneLine(key); forced || slices.Contains(before.Unknown, key) {
			warnings = append(warnings, text+"; it has no effect")
		} else {
			refused = append(refused, errors.New(text))
			if near := nearest(strings.ToLower(key), netconf.Keys, strings.ToLower); near != "" {
				hint = fmt.Sprintf("did you mean %s? --force stores it as it is", near)
			}
		}
	}
	if len(refused) > 0 {
		return net, nil, withHint(errors.Join(refused...), "%s", hint)
	}
	for _, key := range net.Unused {
		warnings = append(warnings, fmt.Sprintf("key %s has no effect on backend %s", oneLine(key), net.Backend.Type))
	}
	return net, append(warnings, publicRanges(net)...), nil
}

// sharedSpace is for carriers' networks (RFC 6598), which some use for containers.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// publicRanges warns of networks whose addresses belong to others on the
// Internet: containers could not reach those.
func publicRanges(net netconf.Network) []string {
	var out []string
	for _, p := range net.Prefixes() {
		if !p.Addr().IsPrivate() && !sharedSpace.Contains(p.Addr()) {
			out = append(out, fmt.Sprintf("network %s is not a private range (RFC 1918, RFC 4193): containers cannot reach its addresses on the Internet", p))
		}
	}
	return out
}
