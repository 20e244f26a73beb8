package netstate

import (
	"slices"
	"testing"
)

const (
	keyA = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
	keyB = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="

	wgDevice = "link flannel-wg wireguard port 51820 key " + keyA + " mtu 1420 up\n"
)

// TestRoamingPeerKeepsItsEndpoint: what the kernel has learned from fresh packets
// stays, and nothing else of the peer does.
func TestRoamingPeerKeepsItsEndpoint(t *testing.T) {
	peer := func(rest string) *State { return parse(t, wgDevice+"peer "+keyB+" dev flannel-wg "+rest) }
	want := peer("endpoint 10.4.7.22:51820 keepalive 25")
	for have, ops := range map[string]int{
		"endpoint 192.0.2.7:4711 keepalive 25 roams":              0,
		"endpoint 192.0.2.7:4711 keepalive 25":                    1,
		"endpoint 192.0.2.7:4711 keepalive 20 roams":              1,
		"endpoint 192.0.2.7:4711 keepalive 25 psk 0a1b2c3d roams": 1,
	} {
		if got := Diff(peer(have), want); len(got) != ops {
			t.Errorf("%s: %v", have, got)
		}
	}
	if got := Diff(peer("endpoint 192.0.2.7:4711"), peer("")); len(got) != 0 {
		t.Errorf("an endpoint that nobody can take away: %v", got)
	}
}

// TestPeersGoWithWhatTheyAreAllowed: a prefix that another peer gets moves, and
// the device is never without it.
func TestPeersGoWithWhatTheyAreAllowed(t *testing.T) {
	have := parse(t, wgDevice+"peer "+keyA+" dev flannel-wg\nallowed 10.5.1.0/24 peer "+keyA+" dev flannel-wg\nallowed 10.5.2.0/24 peer "+keyA+" dev flannel-wg")
	want := parse(t, wgDevice+"peer "+keyB+" dev flannel-wg\nallowed 10.5.1.0/24 peer "+keyB+" dev flannel-wg")
	got := lines(Diff(have, want))
	expected := []string{
		"+ peer " + keyB + " dev flannel-wg",
		"~ allowed 10.5.1.0/24 peer " + keyB + " dev flannel-wg",
		"- peer " + keyA + " dev flannel-wg",
	}
	if !slices.Equal(got, expected) {
		t.Errorf("%q", got)
	}
}

// TestWireGuardDeviceIsChangedInPlace, whatever of it changes: made anew it would
// lose its sessions.
func TestWireGuardDeviceIsChangedInPlace(t *testing.T) {
	have := parse(t, wgDevice)
	want := parse(t, "link flannel-wg wireguard port 51821 key "+keyB+" mtu 1400 up")
	if got := Diff(have, want); len(got) != 1 || got[0].Verb != Replace {
		t.Error(got)
	}
	other := parse(t, "link flannel-wg-v6 wireguard port 51820 key "+keyA+" mtu 1420 up")
	if got := lines(Diff(have, other)); len(got) != 2 || got[0][0] != '+' || got[1][0] != '-' {
		t.Errorf("devices of different names are taken for one: %q", got)
	}
}
