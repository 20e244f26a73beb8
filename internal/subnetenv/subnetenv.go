// Package subnetenv reads and writes subnet.env, the file by which container
// runtimes and CNI plugins learn the host's subnet. Its bytes are flannel's.
// It decides nothing about what is in it.
package subnetenv

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/weft-net/weft/internal/netconf"
)

// Env is the content of subnet.env.
type Env struct {
	Networks []netip.Prefix // one a family at most, v4 first
	Subnets  []netip.Prefix // this host's, masked, one a family at most, v4 first
	MTU      int            // bytes
	IPMasq   bool           // whether another program than the runtime masquerades
}

var keys = map[netconf.Family]struct{ network, subnet string }{
	netconf.V4: {"FLANNEL_NETWORK", "FLANNEL_SUBNET"},
	netconf.V6: {"FLANNEL_IPV6_NETWORK", "FLANNEL_IPV6_SUBNET"},
}

// Format returns the file's bytes. The subnet is written with its first
// address, which is the one a bridge takes: "10.5.72.1/24".
func (e Env) Format() []byte {
	var b bytes.Buffer
	for _, f := range netconf.Families {
		for _, n := range e.Networks {
			if netconf.FamilyOf(n.Addr()) == f {
				fmt.Fprintf(&b, "%s=%s\n", keys[f].network, n)
			}
		}
		for _, s := range e.Subnets {
			if netconf.FamilyOf(s.Addr()) == f {
				fmt.Fprintf(&b, "%s=%s/%d\n", keys[f].subnet, s.Masked().Addr().Next(), s.Bits())
			}
		}
	}
	fmt.Fprintf(&b, "FLANNEL_MTU=%d\nFLANNEL_IPMASQ=%t\n", e.MTU, e.IPMasq)
	return b.Bytes()
}

// Values returns what the lines of a subnet.env say by key, unread, as a
// shell would without expanding anything.
func Values(data []byte) map[string]string {
	values := map[string]string{}
	for line := range bytes.Lines(data) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
		if ok {
			values[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return values
}

// Parse reads a subnet.env, also one written by hand: unknown lines, quotes
// and blanks are passed over, and every key may be missing. An address that
// is none is an error naming its key.
func Parse(data []byte) (Env, error) {
	values := Values(data)
	var e Env
	for _, f := range netconf.Families {
		var err error
		if e.Networks, err = prefixes(e.Networks, values, keys[f].network, f); err != nil {
			return Env{}, err
		}
		if e.Subnets, err = prefixes(e.Subnets, values, keys[f].subnet, f); err != nil {
			return Env{}, err
		}
	}
	e.MTU, _ = strconv.Atoi(values["FLANNEL_MTU"]) // absent or odd: unknown
	e.IPMasq = values["FLANNEL_IPMASQ"] == "true"
	return e, nil
}

// prefixes appends those of a value; a network may be a comma list.
func prefixes(to []netip.Prefix, values map[string]string, key string, f netconf.Family) ([]netip.Prefix, error) {
	if values[key] == "" {
		return to, nil
	}
	for part := range strings.SplitSeq(values[key], ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", key, values[key], err)
		}
		if netconf.FamilyOf(p.Addr()) != f {
			return nil, fmt.Errorf("%s=%s: not an %s prefix", key, values[key], f)
		}
		to = append(to, p.Masked())
	}
	return to, nil
}

// Read reads the file at path.
func Read(path string) (Env, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Env{}, err
	}
	e, err := Parse(data)
	if err != nil {
		return Env{}, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// Write puts e at path by rename, readable by everybody as runtimes expect,
// and makes the folder if it is missing. A file that says the same already
// is left alone.
func Write(path string, e Env) error {
	data := e.Format()
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, data, 0o644)
}
