package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/netconf"
)

func newConfigCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "config",
		Short: "Read and change the network config",
		Long: `The network config is one JSON document in the store, for all hosts: the network's
address range, how it is divided into subnets, and the backend that carries packets
between hosts. Running agents apply every change.`,
		Example: `  weft config get
  weft config set '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
  weft config edit`,
	}, newConfigGetCommand(), newConfigSetCommand(a), newConfigEditCommand(a), newConfigValidateCommand(a), newConfigImportCommand(a))
}

// maxDocument bounds a config document in bytes; etcd takes 1.5 MB.
const maxDocument = 1 << 20

// readDocument reads the config that arg names: a file, "-" for standard
// input, or the JSON itself.
func readDocument(arg string, stdin io.Reader) ([]byte, error) {
	switch {
	case strings.HasPrefix(strings.TrimSpace(arg), "{"):
		return []byte(arg), nil
	case arg == "-":
		return readAll("standard input", stdin)
	}
	f, err := os.Open(arg)
	if errors.Is(err, os.ErrNotExist) {
		return nil, withHint(fmt.Errorf("read the config: file %s does not exist", arg),
			"the argument is a file, - for standard input, or JSON that begins with {")
	}
	if err != nil {
		return nil, fmt.Errorf("read the config: %w", err)
	}
	defer f.Close()
	return readAll(arg, f)
}

func readAll(name string, r io.Reader) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	doc = bytes.TrimPrefix(doc, []byte("\ufeff")) // a byte order mark, which flanneld cannot read
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the config from %s: %w", name, err)
	case len(doc) > maxDocument:
		return nil, fmt.Errorf("read the config from %s: it has more than %d bytes", name, maxDocument)
	case strings.TrimSpace(string(doc)) == "":
		return nil, fmt.Errorf("read the config from %s: it is empty", name)
	}
	return doc, nil
}

// describe explains a config, one line per family.
func describe(net netconf.Network) []string {
	var out []string
	for _, r := range net.Ranges {
		out = append(out, fmt.Sprintf("%s, divided into /%d subnets from %s to %s", r.Network, r.SubnetLen, r.Min, r.Max))
	}
	backend := "backend " + net.Backend.Type
	if net.Backend.Type == "vxlan" {
		v := net.Backend.VXLAN
		backend += fmt.Sprintf(", VNI %d, UDP port %d", v.VNI, v.Port)
	}
	if net.Backend.DirectRouting() {
		backend += ", direct routing to peers on the same segment"
	}
	if net.Backend.Type == "wireguard" {
		w := net.Backend.WireGuard
		backend += fmt.Sprintf(", mode %s, UDP port %d", w.Mode, w.ListenPort)
		if w.Mode == netconf.Separate {
			backend += fmt.Sprintf(", over IPv6 %d", w.ListenPortV6)
		}
	}
	out = append(out, backend)
	if net.FastPath {
		out = append(out, "fast path where a host can have it, unless its --fast-path says otherwise")
	}
	return out
}
