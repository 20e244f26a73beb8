package kerneltest

import (
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/wgkey"
)

// psk is a preshared key that the kernels under test know.
var psk = netconf.PSK([]byte(strings.Repeat("p", 32)))

// Keys are the secrets that the kernels under test know.
func Keys() *wgkey.Ring {
	r := &wgkey.Ring{}
	for _, name := range []string{"a", "b"} {
		if _, err := r.Add(privateKey(name)); err != nil {
			panic(err) // the keys are fixed
		}
	}
	r.Share(psk)
	return r
}

func privateKey(name string) wgkey.Key { return wgkey.Key([]byte(strings.Repeat(name, 32))) }

// public returns the public key of the private one with a name.
func public(t *testing.T, name string) string {
	t.Helper()
	key, err := (&wgkey.Ring{}).Add(privateKey(name))
	if err != nil {
		t.Fatal(err)
	}
	return key.String()
}

// named puts public keys into rows: KEY-a is that of the private key a.
func named(t *testing.T, text string) string {
	for _, name := range []string{"a", "b", "x", "y", "z"} {
		text = strings.ReplaceAll(text, "KEY-"+name, public(t, name))
	}
	return strings.ReplaceAll(text, "PSK", psk.Fingerprint())
}

const cipherDevice = `
link  flannel-wg wireguard port 51820 key KEY-a mtu 1420 up
addr  10.5.1.0/32 dev flannel-wg
`

const ciphers = cipherDevice + `
peer  KEY-x dev flannel-wg endpoint 10.4.7.22:51820
peer  KEY-y dev flannel-wg endpoint [fd00:4:7::23]:51821 keepalive 25 psk PSK
allowed 10.5.2.0/24 peer KEY-x dev flannel-wg
allowed 10.5.3.0/24 peer KEY-y dev flannel-wg
allowed fd05:0:0:3::/64 peer KEY-y dev flannel-wg
route 10.5.2.0/24 dev flannel-wg
route 10.5.3.0/24 dev flannel-wg
`

// testWireGuard leads a device and its peers through their lives.
func testWireGuard(t *testing.T, h Host) {
	s := scope(t)
	s.Links, s.Sysctls = append(s.Links, "flannel-wg"), nil
	settle(t, h.Kernel, s, state(t, named(t, ciphers)))
	for _, change := range []struct{ name, from, to string }{
		{"a port", "port 51820 key", "port 4500 key"},
		{"a key", "key KEY-a", "key KEY-b"},
		{"an MTU", "mtu 1420", "mtu 1400"},
		{"an endpoint", "10.4.7.22:51820", "10.4.7.99:4500"},
		{"a preshared key less", " psk PSK", ""},
		{"a preshared key", ":51820\n", ":51820 psk PSK\n"},
		{"a keepalive less", " keepalive 25", ""},
		{"a prefix less", "allowed fd05:0:0:3::/64 peer KEY-y dev flannel-wg\n", ""},
		{"another peer's prefix", "10.5.3.0/24 peer KEY-y", "10.5.3.0/24 peer KEY-x"},
		{"another peer's prefix, and one less", "10.5.3.0/24 peer KEY-y dev flannel-wg\nallowed fd05:0:0:3::/64 peer KEY-y dev", "10.5.3.0/24 peer KEY-x dev"},
		{"another peer", "KEY-x", "KEY-z"},
		{"another peer with keepalives", "KEY-y", "KEY-z"},
		{"no peers", strings.TrimPrefix(ciphers, cipherDevice), ""},
	} {
		t.Run(change.name, func(t *testing.T) {
			text := strings.ReplaceAll(ciphers, change.from, change.to)
			if text == ciphers {
				t.Fatal("changes nothing")
			}
			other := state(t, named(t, text))
			settle(t, h.Kernel, s, other)
			if have := observe(t, h.Other, s); have.String() != other.String() {
				t.Errorf("another process sees\n%s", have)
			}
			settle(t, h.Kernel, s, state(t, named(t, ciphers)))
		})
	}
	settle(t, h.Kernel, s, &netstate.State{})
}

// testWireGuardAdopt has a successor, who knows nothing, find the device by its name and
// its address.
func testWireGuardAdopt(t *testing.T, h Host) {
	s := scope(t)
	s.Links, s.Sysctls = append(s.Links, "flannel-wg"), nil
	want := state(t, named(t, ciphers))
	settle(t, h.Other, s, want)
	s.Links = nil
	if ops := netstate.Diff(observe(t, h.Kernel, s), want); len(ops) > 0 {
		t.Errorf("a successor changes %v", ops)
	}
	settle(t, h.Kernel, s, &netstate.State{})
}

// testWireGuardSecrets wants what no known secret fits: the error names what is missing, and
// the rest is done.
func testWireGuardSecrets(t *testing.T, h Host) {
	s := scope(t)
	s.Links, s.Sysctls = append(s.Links, "flannel-wg"), nil
	settle(t, h.Kernel, s, state(t, named(t, cipherDevice)))
	peers := state(t, named(t, "peer KEY-x dev flannel-wg psk 00000000\npeer KEY-y dev flannel-wg psk PSK"))
	ops := netstate.Diff(&netstate.State{}, peers)
	errs := h.Kernel.Apply(t.Context(), ops)
	for i, op := range ops {
		unknown := strings.Contains(op.Row.String(), "00000000")
		if unknown != (errs[i] != nil) {
			t.Errorf("%s: %v", op, errs[i])
		}
	}
}
