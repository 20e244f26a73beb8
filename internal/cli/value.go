package cli

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// value is a flag's value that is checked as it is set, so that the error
// names the flag. It serves flag.FlagSet and pflag.FlagSet alike.
type value[T any] struct {
	to    *T
	kind  string // shown in help: "address", "minutes", "bool"
	parse func(string) (T, error)
	text  string
}

// newValue sets *to to what text, the default, means.
func newValue[T any](to *T, kind, text string, parse func(string) (T, error)) *value[T] {
	v, err := parse(text)
	if err == nil {
		*to = v
	}
	return &value[T]{to: to, kind: kind, parse: parse, text: text}
}

func (v *value[T]) String() string   { return v.text }
func (v *value[T]) Type() string     { return v.kind }
func (v *value[T]) IsBoolFlag() bool { return v.kind == "bool" }

func (v *value[T]) Set(text string) error {
	parsed, err := v.parse(text)
	if err != nil {
		return err
	}
	*v.to, v.text = parsed, text
	return nil
}

// list is a flag that can be repeated, each time with one or more
// values. The first one given replaces the default.
type list struct {
	to    *[]string
	kind  string
	parse func(string) ([]string, error)
	given bool
}

func (l *list) String() string {
	if l.to == nil { // as package flag asks of a zero value
		return "[]"
	}
	return "[" + strings.Join(*l.to, ",") + "]"
}
func (l *list) Type() string { return l.kind }

func (l *list) Set(text string) error {
	more, err := l.parse(text)
	if err != nil {
		return err
	}
	if !l.given {
		*l.to, l.given = nil, true
	}
	*l.to = append(*l.to, more...)
	return nil
}

func parseBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("must be true or false")
	}
	return b, nil
}

func parseText(s string) (string, error) { return s, nil }

// parseInt accepts a whole number from lo to hi; unit is for the message.
func parseInt(lo, hi int, unit string) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < lo || n > hi {
			return 0, fmt.Errorf("must be a whole number%s from %d to %d", unit, lo, hi)
		}
		return n, nil
	}
}

// parseAddr accepts an address that a host can have, or nothing.
func parseAddr(form string, fits func(netip.Addr) bool) func(string) (netip.Addr, error) {
	return func(s string) (netip.Addr, error) {
		if s == "" {
			return netip.Addr{}, nil
		}
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" || !fits(a) {
			return netip.Addr{}, fmt.Errorf("must be %s", form)
		}
		return a.Unmap(), nil
	}
}

func isHost(a netip.Addr) bool   { return !a.IsUnspecified() && !a.IsMulticast() }
func isHostV4(a netip.Addr) bool { return a.Is4() && isHost(a) }
func isHostV6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() && isHost(a) }
func isAny(netip.Addr) bool      { return true }

// parseEndpoints accepts etcd addresses, separated by commas.
func parseEndpoints(s string) ([]string, error) {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if err := checkEndpoint(part); err != nil {
			return nil, err
		}
		out = append(out, part)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("must name at least one etcd, as in http://10.0.0.5:2379")
	}
	return out, nil
}

func checkEndpoint(s string) error {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is not an etcd address such as http://10.0.0.5:2379", s)
	}
	switch {
	case u.Scheme == "unix" || u.Scheme == "unixs":
		return nil
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q must begin with http:// or https://", s)
	case u.Hostname() == "":
		return fmt.Errorf("%q has no host; write it as in http://10.0.0.5:2379", s)
	case strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("%q has a path; put the path into --etcd-prefix", s)
	}
	return nil
}

// parseNames accepts names or addresses of interfaces, separated by commas.
func parseNames(s string) ([]string, error) {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("must be the name or an address of an interface, as in eth0 or 10.0.0.1")
	}
	return out, nil
}

func parseRegexp(s string) ([]string, error) {
	if s == "" {
		return nil, fmt.Errorf("must not be empty")
	}
	if _, err := regexp.Compile(s); err != nil {
		return nil, fmt.Errorf("must be a regular expression (RE2): %w", err)
	}
	return []string{s}, nil
}

// parsePrefix accepts the path in etcd under which a network is stored.
func parsePrefix(s string) (string, error) {
	clean := "/" + strings.Trim(s, "/")
	if clean == "/" || strings.Contains(clean, "//") || strings.ContainsAny(clean, " \t\n\x00") {
		return "", fmt.Errorf("must be a path in etcd such as /coreos.com/network")
	}
	return clean, nil
}

func parseDir(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("must be a directory")
	}
	return s, nil
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("must be a time such as 10s or 2m")
	}
	return d, nil
}
