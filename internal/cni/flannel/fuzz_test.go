package flannel

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/weft-net/weft/internal/subnetenv"
)

// FuzzRender: whatever a config says, the delegate has a name, and is told the
// network's name and the host's subnets.
func FuzzRender(f *testing.F) {
	f.Add(`{"name": "cbr0", "delegate": {"type": "macvlan"}, "ipam": {"routes": [{"dst": "192.0.2.0/24"}]}}`)
	f.Add(`{"name": "cbr0", "delegate": {"type": null, "mtu": {}}, "runtimeConfig": []}`)
	env := subnetenv.Env{Networks: []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16")}, Subnets: []netip.Prefix{netip.MustParsePrefix("10.5.1.0/24")}, MTU: 1450}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse([]byte(text))
		if err != nil {
			return
		}
		out, err := render(c, env)
		if err != nil {
			return
		}
		var told object // keys are exact here: the user may have said tYpe, too
		if err := json.Unmarshal(out, &told); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		kind, err := typeOf(told)
		var ipam object
		if err == nil {
			err = json.Unmarshal(told["ipam"], &ipam)
		}
		if name := (record{delegate: told}).network(); err != nil || kind == "" || name != c.Name || string(ipam["ranges"]) != `[[{"subnet":"10.5.1.0/24"}]]` {
			t.Errorf("%q becomes %s: %v", text, out, err)
		}
	})
}

// FuzzRead: a record that can be read can be written, and then says the same.
func FuzzRead(f *testing.F) {
	f.Add(`{"name": "cbr0", "type": "bridge", "weft/ifname": "eth0"}`)
	f.Add(`{"type": "bridge", "weft/ifname": null}`)
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "c1")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		first, err := read(path)
		if err != nil {
			return
		}
		if err := first.write(); err != nil {
			t.Fatal(err)
		}
		again, err := read(path)
		if err != nil || again.ifName != first.ifName || again.network() != first.network() || len(again.delegate) != len(first.delegate) {
			t.Errorf("%q was read as %v, and then as %v, %v", text, first, again, err)
		}
	})
}
