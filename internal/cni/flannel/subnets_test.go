package flannel_test

import (
	"encoding/json"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/lab"
)

const (
	nextEnv = "FLANNEL_NETWORK=10.9.0.0/16\nFLANNEL_SUBNET=10.9.1.1/24\nFLANNEL_IPV6_NETWORK=fd19::/48\nFLANNEL_IPV6_SUBNET=fd19:0:0:1::1/64\n" + bothEnv
	// Of another length, so that the IPv6 subnets overlap, too.
	widerEnv = "FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.0.1/23\nFLANNEL_IPV6_NETWORK=fd17::/48\nFLANNEL_IPV6_SUBNET=fd17:0:0::1/56\n" + bothEnv
)

// addressesOf lists the addresses of a bridge, but for the link-local ones.
func addressesOf(t *testing.T, h *lab.Host, dev string) string {
	t.Helper()
	out, err := h.Run(t.Context(), "ip", "-json", "addr", "show", "dev", dev)
	check(t, err)
	var devices []struct {
		Info []struct {
			Local, Scope string
			Prefixlen    int
		} `json:"addr_info"`
	}
	check(t, json.Unmarshal([]byte(out), &devices))
	var all []string
	for _, a := range devices[0].Info {
		if a.Scope == "global" {
			all = append(all, a.Local)
		}
	}
	return strings.Join(all, " ")
}

// both fails the test unless a and b answer each other in both families.
func both(t *testing.T, a, b *lab.Pod) {
	t.Helper()
	for _, is6 := range []bool{false, true} {
		for _, pair := range [][2]*lab.Pod{{a, b}, {b, a}} {
			trip, err := lab.Travel(t.Context(), pair[0], pair[1], is6, 3)
			check(t, err)
			if err := trip.Err(); err != nil {
				t.Errorf("%s to %s, IPv6 %t: %v", pair[0].Name, pair[1].Name, is6, err)
			}
		}
	}
}

// gateway fails the test unless pod gets answers from addr, its default gateway.
func gateway(t *testing.T, pod *lab.Pod, addrs ...string) {
	t.Helper()
	for _, addr := range addrs {
		tally, err := pod.Ping(t.Context(), netip.MustParseAddr(addr), 2)
		check(t, err)
		if tally.Sent == 0 || tally.Lost() > 0 {
			t.Errorf("%s pings its gateway %s: %+v", pod.Name, addr, tally)
		}
		var routes string
		check(t, pod.Do(func() error {
			out, err := exec.Command("sh", "-c", "ip route show default; ip -6 route show default").CombinedOutput()
			routes = string(out)
			return err
		}))
		if !strings.Contains(routes, "via "+addr+" ") {
			t.Errorf("%s has no default route through %s:\n%s", pod.Name, addr, routes)
		}
	}
}

// TestAnotherSubnet gives the host another subnet while containers run: both
// work, and the previous gateways stay as long as the last container with one.
func TestAnotherSubnet(t *testing.T) {
	h := newHost(t)
	add := func(name string) *lab.Pod {
		t.Helper()
		pod, err := h.AddPodCNI(t.Context(), name, h.Conflist("flannel"))
		check(t, err)
		return pod
	}
	old1, old2 := add("old1"), add("old2")
	writeEnv(t, h, nextEnv)
	new1 := add("new1")
	check(t, new1.CheckCNI(t.Context()))
	check(t, old1.CheckCNI(t.Context()))
	if got := addressesOf(t, h, "cni0"); !strings.Contains(got, "172.7.1.1 10.9.1.1") || !strings.Contains(got, "fd17:0:0:1::1") || !strings.Contains(got, "fd19:0:0:1::1") {
		t.Errorf("cni0 has %s", got)
	}
	gateway(t, old1, "172.7.1.1", "fd17:0:0:1::1")
	gateway(t, new1, "10.9.1.1", "fd19:0:0:1::1")
	both(t, old1, new1)
	new2 := add("new2")
	both(t, new1, new2)
	both(t, old1, old2)

	check(t, old1.DeleteCNI(t.Context()))
	gateway(t, old2, "172.7.1.1", "fd17:0:0:1::1")
	check(t, new1.DeleteCNI(t.Context()))
	check(t, old2.DeleteCNI(t.Context()))
	if got := addressesOf(t, h, "cni0"); got != "10.9.1.1 fd19:0:0:1::1" {
		t.Errorf("the previous subnet has drained, and cni0 has %s", got)
	}
	new3 := add("new3")
	both(t, new2, new3)

	// The way back, by a GC of what was never deleted.
	writeEnv(t, h, dualEnv)
	back := add("back")
	gateway(t, back, "172.7.1.1", "fd17:0:0:1::1")
	both(t, back, new3)
	valid := `, "cni.dev/valid-attachments": [{"containerID": "h1-back", "ifname": "eth0"}]`
	call{command: "GC"}.must(t, h, conf(h, valid))
	if got := addressesOf(t, h, "cni0"); got != "172.7.1.1 fd17:0:0:1::1" {
		t.Errorf("after the GC cni0 has %s", got)
	}
	check(t, back.DeleteCNI(t.Context()))
}

// TestAnotherLength has subnets that overlap: both addresses stay all the same.
func TestAnotherLength(t *testing.T) {
	h := newHost(t)
	old, err := h.AddPodCNI(t.Context(), "old", h.Conflist("flannel"))
	check(t, err)
	writeEnv(t, h, widerEnv)
	now, err := h.AddPodCNI(t.Context(), "now", h.Conflist("flannel"))
	check(t, err)
	gateway(t, old, "172.7.1.1", "fd17:0:0:1::1")
	gateway(t, now, "172.7.0.1", "fd17::1")
	check(t, old.DeleteCNI(t.Context()))
	if got := addressesOf(t, h, "cni0"); got != "172.7.0.1 fd17::1" {
		t.Errorf("the previous subnet has drained, and cni0 has %s", got)
	}
}

// TestFormerBridge finds a bridge that an earlier cluster left, with and
// without something on it.
func TestFormerBridge(t *testing.T) {
	for name, tc := range map[string]struct{ port, want string }{
		"empty":  {"", "172.7.1.1"},
		"in use": {"ip link add theirs type veth peer name theirs-end; ip link set theirs master cni0 up", "10.85.0.1 172.7.1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			writeEnv(t, h, v4Env+bothEnv)
			_, err := h.Run(t.Context(), "sh", "-ec", "ip link add cni0 type bridge; ip addr add 10.85.0.1/16 dev cni0; ip link set cni0 up; "+tc.port)
			check(t, err)
			pod, err := h.AddPodCNI(t.Context(), "p", h.Conflist("flannel"))
			check(t, err)
			gateway(t, pod, "172.7.1.1")
			if got := addressesOf(t, h, "cni0"); got != tc.want {
				t.Errorf("cni0 has %q, want %q", got, tc.want)
			}
		})
	}
}
