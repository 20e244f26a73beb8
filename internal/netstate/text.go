package netstate

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Format writes s as text, one line a row: goldens, `weft plan`, logs and bug
// reports all show this form.
func Format(w io.Writer, s *State) error {
	b := bufio.NewWriter(w)
	for _, r := range s.Rows() {
		kind := KindOf(r)
		fmt.Fprintf(b, "%-7s %s\n", kind, r.String()[len(kind)+1:])
	}
	return b.Flush()
}

// KindOf returns the word that begins r's line: "route", "neigh", ...
func KindOf(r Row) string {
	switch r.(type) {
	case Link:
		return "link"
	case Offload:
		return "offload"
	case Sysctl:
		return "sysctl"
	case Addr:
		return "addr"
	case Neigh:
		return "neigh"
	case FDB:
		return "fdb"
	case Peer:
		return "peer"
	case Allowed:
		return "allowed"
	case Route:
		return "route"
	}
	return cmp.Or(fastKind(r), firewallKind(r))
}

// String returns the text that Format writes.
func (s *State) String() string {
	var b strings.Builder
	_ = Format(&b, s) // a strings.Builder takes everything
	return b.String()
}

// Parse reads what Format wrote. Empty lines and lines that begin with # are
// passed over; the error names the line.
func Parse(r io.Reader) (*State, error) {
	b := &Builder{}
	scan := bufio.NewScanner(r)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := parseRow(b, strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := scan.Err(); err != nil {
		return nil, err
	}
	return b.State()
}

func parseRow(s *Builder, fields []string) error {
	w := &words{left: fields[1:]}
	switch fields[0] {
	case "sysctl":
		s.Sysctls = append(s.Sysctls, parseSysctl(w.next(), w.rest()))
	case "offload":
		s.Offloads = append(s.Offloads, parseOffload(w))
	case "link":
		s.Links = append(s.Links, parseLink(w))
	case "addr":
		s.Addrs = append(s.Addrs, Addr{Prefix: take(w, netip.ParsePrefix), Dev: w.after("dev")})
	case "neigh":
		s.Neighs = append(s.Neighs, Neigh{Addr: take(w, netip.ParseAddr), MAC: takeAfter(w, "mac", ParseMAC), Dev: w.after("dev")})
	case "fdb":
		s.FDB = append(s.FDB, FDB{MAC: take(w, ParseMAC), Dst: takeAfter(w, "dst", netip.ParseAddr), Dev: w.after("dev")})
	case "peer":
		s.Peers = append(s.Peers, parsePeer(w))
	case "allowed":
		s.Allowed = append(s.Allowed, parseAllowed(w))
	case "route":
		s.Routes = append(s.Routes, parseRoute(w))
	default:
		if !parseFastRow(&s.Fast, fields[0], w) && !parseFirewallRow(&s.Firewall, fields[0], w) {
			return fmt.Errorf("unknown kind of object %q", fields[0])
		}
	}
	if w.err == nil && len(w.left) > 0 {
		w.err = fmt.Errorf("unexpected %q", w.left[0])
	}
	return w.err
}

func parseLink(w *words) Link {
	l := Link{Name: w.next(), Kind: w.next()}
	switch l.Kind {
	case KindWireGuard:
		l.Port = uint16(takeAfter(w, "port", parseUint(16)))
		if w.has("key") {
			l.Key = take(w, ParseWGKey)
		}
		l.MTU = int(takeAfter(w, "mtu", parseUint(31)))
		l.Up = !w.has("down") && w.has("up")
		return l
	case KindIPIP:
		if w.has("local") {
			l.Local = take(w, netip.ParseAddr)
		}
		l.MTU = int(takeAfter(w, "mtu", parseUint(31)))
		l.Up = !w.has("down") && w.has("up")
		return l
	case KindVXLAN:
		l.VNI = uint32(takeAfter(w, "vni", parseUint(24)))
		if w.has("local") {
			l.Local = take(w, netip.ParseAddr)
		}
		if w.has("dev") {
			l.Dev = w.next()
		}
		if w.has("vrf") {
			l.VRF = w.next()
		}
		l.Port = uint16(takeAfter(w, "port", parseUint(16)))
		l.Learning = !w.has("nolearning") && w.has("learning")
		l.GBP = w.has("gbp")
	}
	l.MTU = int(takeAfter(w, "mtu", parseUint(31)))
	l.MAC = takeAfter(w, "mac", ParseMAC)
	l.Up = !w.has("down") && w.has("up")
	return l
}

func parseOffload(w *words) Offload {
	o := Offload{Dev: w.next()}
	if state := w.after(txChecksumming); state != "off" && w.err == nil {
		w.err = fmt.Errorf("expected \"off\", not %q", state)
	}
	return o
}

func parseRoute(w *words) Route {
	r := Route{Dst: take(w, parseMasked)}
	for _, reject := range []string{Unreachable, Blackhole} {
		if w.has(reject) {
			r.Reject = reject
		}
	}
	if w.has("via") {
		r.Via = take(w, netip.ParseAddr)
	}
	if w.has("dev") {
		r.Dev = w.next()
	}
	r.OnLink = w.has("onlink")
	if w.has("mtu") {
		r.MTU = int(take(w, parseUint(31)))
	}
	if w.has("proto") {
		r.Proto = uint8(take(w, parseUint(8)))
	}
	if w.has("metric") {
		r.Metric = uint32(take(w, parseUint(32)))
	}
	return r
}

func parseMasked(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err == nil && p != p.Masked() {
		err = fmt.Errorf("%s has bits set behind its length", s)
	}
	return p, err
}

func parseUint(bits int) func(string) (uint64, error) {
	return func(s string) (uint64, error) { return strconv.ParseUint(s, 10, bits) }
}

// words reads a line from left to right and remembers the first error.
type words struct {
	left []string
	err  error
}

func (w *words) next() string {
	if len(w.left) == 0 {
		if w.err == nil {
			w.err = io.ErrUnexpectedEOF
		}
		return ""
	}
	s := w.left[0]
	w.left = w.left[1:]
	return s
}

func (w *words) rest() []string {
	all := w.left
	w.left = nil
	return all
}

// has consumes word if it is next.
func (w *words) has(word string) bool {
	if len(w.left) == 0 || w.left[0] != word {
		return false
	}
	w.left = w.left[1:]
	return true
}

// after returns the word behind the keyword.
func (w *words) after(keyword string) string {
	if got := w.next(); got != keyword && w.err == nil {
		w.err = fmt.Errorf("expected %q, not %q", keyword, got)
	}
	return w.next()
}

func take[T any](w *words, parse func(string) (T, error)) T {
	s := w.next()
	v, err := parse(s)
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("%q: %w", s, err)
	}
	return v
}

func takeAfter[T any](w *words, keyword string, parse func(string) (T, error)) T {
	if got := w.next(); got != keyword && w.err == nil {
		w.err = fmt.Errorf("expected %q, not %q", keyword, got)
	}
	return take(w, parse)
}

func parseSysctl(name string, words []string) Sysctl {
	s := Sysctl{Name: name}
	if n := len(words) - 2; n > 0 && words[n] == "unless" {
		words, s.Unless = words[:n], words[n+1]
	}
	s.Value = strings.Join(words, " ")
	return s
}
