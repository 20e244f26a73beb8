package lab_test

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/lab"
)

// Headers of frames, for putting together.
const (
	ether4  = "020000000002 020000000001 0800"
	ether6  = "020000000002 020000000001 86dd"
	ip4UDP  = "45000000 00000000 40110000 0a040715 0a040817"
	ip4ICMP = "45000000 00000000 40010000 ac070102 ac070202"
	ip6ICMP = "60000000 00083a40 fd170001000000000000000000000002 fd170002000000000000000000000002"
	udp8472 = "c000 2118 0000 0000"
	vxlan1  = "08000000 00000100"
	echo4   = "08000000 12340001"
	reply4  = "00000000 12340001"
	echo6   = "80000000 12340001"
)

func frameBytes(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseFrame(t *testing.T) {
	v4 := lab.Frame{Src: netip.MustParseAddr("172.7.1.2"), Dst: netip.MustParseAddr("172.7.2.2"), Protocol: 1, Request: true, EchoID: 0x1234}
	v6 := lab.Frame{Src: netip.MustParseAddr("fd17:1::2"), Dst: netip.MustParseAddr("fd17:2::2"), Protocol: 58, Request: true, EchoID: 0x1234}
	wrapped := func(f lab.Frame) lab.Frame { f.VXLAN = true; return f }
	reply := v4
	reply.Request, reply.EchoID = false, 0
	outer := lab.Frame{Src: netip.MustParseAddr("10.4.7.21"), Dst: netip.MustParseAddr("10.4.8.23"), Protocol: 17}
	for name, c := range map[string]struct {
		parts []string
		want  lab.Frame
		bad   bool
	}{
		"v4 request":          {[]string{ether4, ip4ICMP, echo4}, v4, false},
		"v6 request":          {[]string{ether6, ip6ICMP, echo6}, v6, false},
		"v4 reply":            {[]string{ether4, ip4ICMP, reply4}, reply, false},
		"v4 request in vxlan": {[]string{ether4, ip4UDP, udp8472, vxlan1, ether4, ip4ICMP, echo4}, wrapped(v4), false},
		"v6 request in vxlan": {[]string{ether4, ip4UDP, udp8472, vxlan1, ether6, ip6ICMP, echo6}, wrapped(v6), false},
		"other UDP port":      {[]string{ether4, ip4UDP, "c000 0035 0000 0000", vxlan1, ether4, ip4ICMP, echo4}, outer, false},
		"no VNI flag":         {[]string{ether4, ip4UDP, udp8472, "00000000 00000100", ether4, ip4ICMP, echo4}, outer, false},
		"ARP":                 {[]string{"ffffffffffff 020000000001 0806", echo4}, lab.Frame{}, true},
		"cut short":           {[]string{ether4, "45000000"}, lab.Frame{}, true},
		"cut short in vxlan":  {[]string{ether4, ip4UDP, udp8472, vxlan1, ether4, "45000000"}, lab.Frame{}, true},
		"options too long":    {[]string{ether4, "4f000000 00000000 40010000 ac070102 ac070202"}, lab.Frame{}, true},
		"nothing":             {nil, lab.Frame{}, true},
	} {
		got, ok := lab.ParseFrame(frameBytes(t, c.parts...), 8472)
		if ok == c.bad || got != c.want {
			t.Errorf("%s: got %+v, %t; want %+v, %t", name, got, ok, c.want, !c.bad)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add(frameBytes(f, ether4, ip4UDP, udp8472, vxlan1, ether6, ip6ICMP, echo6))
	f.Add(frameBytes(f, ether4, ip4ICMP, echo4))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, ok := lab.ParseFrame(b, 8472)
		if ok != frame.Src.IsValid() {
			t.Errorf("ok is %t for a frame from %q", ok, frame.Src)
		}
		if !ok && frame != (lab.Frame{}) {
			t.Errorf("not ok, but %+v", frame)
		}
	})
}

func TestParseSubnetEnv(t *testing.T) {
	got, err := lab.ParseSubnetEnv("FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_IPV6_SUBNET=fd17:21::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n")
	if err != nil || got.MTU != 1450 || len(got.Gateways) != 2 || got.Gateways[0].String() != "172.7.21.1/24" {
		t.Errorf("got %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                               "is set",
		"FLANNEL_SUBNET=172.7\n":         "FLANNEL_SUBNET",
		"FLANNEL_SUBNET=172.7.21.1/24\n": "FLANNEL_MTU",
		"FLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=9\n": "68 to 65535",
	} {
		if _, err := lab.ParseSubnetEnv(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want one with %q", text, err, want)
		}
	}
}
