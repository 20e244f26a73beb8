package flannel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
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
	h, _ := newHosts(t)
	return h
}

// newHosts are newHost and a neighbour that has no part in it.
func newHosts(t *testing.T) (h, other *lab.Host) {
	t.Helper()
	l, err := lab.New(lab.Demo(), lab.Options{CNI: pluginDir})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	h, err = l.Host("h1")
	check(t, err)
	other, err = l.Host("h2")
	check(t, err)
	writeEnv(t, h, dualEnv)
	return h, other
}

func writeEnv(t *testing.T, h *lab.Host, text string) {
	t.Helper()
	check(t, os.WriteFile(h.SubnetFile(), []byte(text), 0o644))
}

const (
	v4Env   = "FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.1.1/24\n"
	v6Env   = "FLANNEL_IPV6_NETWORK=fd17::/48\nFLANNEL_IPV6_SUBNET=fd17:0:0:1::1/64\n"
	bothEnv = "FLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n"
	dualEnv = v4Env + v6Env + bothEnv
)

// left fails the test if a record, or an address of IPAM, is still there.
func left(t *testing.T, h *lab.Host) {
	t.Helper()
	for _, dir := range []string{"flannel", "host-local/lab"} {
		if names := files(t, h.Dir(), "cni", dir); len(names) > 0 {
			t.Errorf("%s is left in %s", names, dir)
		}
	}
}

func TestPodsPingEachOther(t *testing.T) {
	for name, tc := range map[string]struct {
		env      string
		families []bool // is it IPv6?
	}{
		"ipv4": {v4Env + bothEnv, []bool{false}},
		"ipv6": {v6Env + bothEnv, []bool{true}},
		"dual": {dualEnv, []bool{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			writeEnv(t, h, tc.env)
			var pods []*lab.Pod
			for i := range 2 {
				pod, err := h.AddPodCNI(t.Context(), fmt.Sprintf("p%d", i), h.Conflist("flannel"))
				check(t, err)
				check(t, pod.CheckCNI(t.Context()))
				pods = append(pods, pod)
			}
			if len(pods[0].Addrs) != len(tc.families) {
				t.Errorf("%s has not one address a family", pods[0])
			}
			for _, is6 := range tc.families {
				trip, err := lab.Travel(t.Context(), pods[0], pods[1], is6, 3)
				check(t, err)
				check(t, trip.Err())
			}
			for _, pod := range pods {
				check(t, pod.DeleteCNI(t.Context()))
			}
			left(t, h)
		})
	}
}

func TestFiftyPodsAtOnce(t *testing.T) {
	const number = 50
	h := newHost(t)
	pods := make([]*lab.Pod, number)
	atOnce(t, number, func(i int) (err error) {
		pods[i], err = h.AddPodCNI(t.Context(), fmt.Sprintf("p%d", i), h.Conflist("flannel"))
		return err
	})
	if t.Failed() {
		return
	}
	taken := map[string]bool{}
	for _, pod := range pods {
		for _, a := range pod.Addrs {
			taken[a.String()] = true
		}
	}
	if len(taken) != 2*number {
		t.Errorf("%d pods have %d addresses", number, len(taken))
	}
	if records := files(t, h.Dir(), "cni/flannel"); len(records) != number {
		t.Errorf("there are %d records", len(records))
	}
	atOnce(t, number, func(i int) error { return pods[i].DeleteCNI(t.Context()) })
	left(t, h)
}

func atOnce(t *testing.T, number int, do func(int) error) {
	var group sync.WaitGroup
	for i := range number {
		group.Go(func() {
			if err := do(i); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestCheckFindsWhatIsMissing(t *testing.T) {
	h := newHost(t)
	pod, err := h.AddPodCNI(t.Context(), "p", h.Conflist("flannel"))
	check(t, err)
	if _, err := h.Run(t.Context(), "ip", "link", "del", "cni0"); err != nil {
		t.Fatal(err)
	}
	if err := pod.CheckCNI(t.Context()); err == nil {
		t.Error("CHECK found nothing wrong without the bridge")
	}
	check(t, os.RemoveAll(filepath.Join(h.Dir(), "cni/flannel")))
	if err := pod.CheckCNI(t.Context()); err == nil {
		t.Error("CHECK found nothing wrong without a record")
	}
	check(t, pod.DeleteCNI(t.Context())) // there is nothing to go by, which is no error
}
