package flannel_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/weft-net/weft/internal/lab"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newHost is a host of a lab whose subnet.env names subnets of both families.
func newHost(t *testing.T) *lab.Host {
	t.Helper()
	l, err := lab.New(lab.Demo(), lab.Options{CNI: pluginDir})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	h, err := l.Host("h1")
	check(t, err)
	check(t, os.WriteFile(h.SubnetFile(), []byte(dualEnv), 0o644))
	return h
}

const dualEnv = `FLANNEL_NETWORK=172.7.0.0/16
FLANNEL_SUBNET=172.7.1.1/24
FLANNEL_IPV6_NETWORK=fd17::/48
FLANNEL_IPV6_SUBNET=fd17:0:0:1::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=true
`

func TestPodsPingEachOther(t *testing.T) {
	h := newHost(t)
	var pods []*lab.Pod
	for i := range 2 {
		pod, err := h.AddPodCNI(t.Context(), fmt.Sprintf("p%d", i), h.Conflist("flannel"))
		check(t, err)
		check(t, pod.CheckCNI(t.Context()))
		pods = append(pods, pod)
	}
	for _, is6 := range []bool{false, true} {
		trip, err := lab.Travel(t.Context(), pods[0], pods[1], is6, 3)
		check(t, err)
		check(t, trip.Err())
	}
	for _, pod := range pods {
		check(t, pod.DeleteCNI(t.Context()))
	}
}
