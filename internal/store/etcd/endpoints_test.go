package etcd

import (
	"slices"
	"strings"
	"testing"
)

func TestEndpoints(t *testing.T) {
	for _, c := range []struct {
		in   string
		ca   string
		want []string
		tls  bool
	}{
		{in: "http://127.0.0.1:4001,http://127.0.0.1:2379", want: []string{"http://127.0.0.1:4001", "http://127.0.0.1:2379"}},
		{in: "10.0.0.1:2379", want: []string{"http://10.0.0.1:2379"}},
		{in: "10.0.0.1:2379", ca: "ca.crt", want: []string{"https://10.0.0.1:2379"}, tls: true},
		{in: "http://10.0.0.1:2379", ca: "ca.crt", want: []string{"http://10.0.0.1:2379"}},
		{in: "etcd.example", want: []string{"http://etcd.example:2379"}},
		{in: " https://etcd.example/ ", want: []string{"https://etcd.example:2379"}, tls: true},
		{in: "https://[fc00::1],https://[fc00::2]:23790", want: []string{"https://[fc00::1]:2379", "https://[fc00::2]:23790"}, tls: true},
		{in: "unix:///run/weft/etcd.sock", want: []string{"unix:///run/weft/etcd.sock"}},
		{in: "unixs:///run/weft/etcd.sock", want: []string{"unixs:///run/weft/etcd.sock"}, tls: true},
	} {
		got, tls, err := Options{Endpoints: strings.Split(c.in, ","), CAFile: c.ca}.endpoints()
		if err != nil || !slices.Equal(got, c.want) || tls != c.tls {
			t.Errorf("%q with CA %q: %v, TLS %v, %v; want %v, %v", c.in, c.ca, got, tls, err, c.want, c.tls)
		}
	}
}

func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1:2379", "https://[::1]", "a:b@c", "http://u:p@h:1", "unix:///x", "http://[::1%25eth0]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		full, tls, err := Options{}.endpoint(raw)
		if err != nil {
			return
		}
		again, tlsAgain, err := Options{}.endpoint(full)
		if err != nil || again != full || tlsAgain != tls {
			t.Errorf("%q became %q, and that %q, %v", raw, full, again, err)
		}
	})
}

func TestKeysOfFlannelAreOneRangeWithoutOurs(t *testing.T) {
	k := layout{prefix: "/coreos.com/network"}
	all := k.flannels()
	in := func(key string) bool { return key >= all.first && key < all.end }
	for key, want := range map[string]bool{
		k.config():                                true,
		k.lease("10.5.34.0-24"):                   true,
		k.lease("\xff"):                           true,
		k.owner("10.5.34.0-24"):                   false,
		"/coreos.com/network":                     false,
		"/coreos.com/network2":                    false,
		"/coreos.com/network/weft/addrs/10.0.0.1": false,
	} {
		if in(key) != want {
			t.Errorf("%s within the range: %v, want %v", key, in(key), want)
		}
	}
}
