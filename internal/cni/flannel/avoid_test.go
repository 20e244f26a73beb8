package flannel_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/weft-net/weft/internal/lab"
)

// TestTwoNetworksShareASubnet adds pods of two networks, as Multus does, one
// after the other and at once: no address is given twice.
func TestTwoNetworksShareASubnet(t *testing.T) {
	const number = 6
	h := newHost(t)
	list := h.Conflist("flannel")
	second := bytes.Replace(list, []byte(`"lab"`), []byte(`"second"`), 1)
	if bytes.Equal(list, second) {
		t.Fatalf("the network is not named lab in\n%s", list)
	}
	pods := make([]*lab.Pod, 2*number+2)
	add := func(i int) (err error) {
		pods[i], err = h.AddPodCNI(t.Context(), fmt.Sprintf("p%d", i), [][]byte{list, second}[i%2])
		return err
	}
	check(t, add(0))
	check(t, add(1))
	atOnce(t, 2*number, func(i int) error { return add(i + 2) })
	if t.Failed() {
		return
	}
	has := map[string]string{}
	for _, pod := range pods {
		for _, a := range pod.Addrs {
			if other := has[a.String()]; other != "" {
				t.Errorf("%s and %s both have %s", other, pod.Name, a)
			}
			has[a.String()] = pod.Name
		}
		check(t, pod.CheckCNI(t.Context()))
	}
	both(t, pods[0], pods[1])
	for _, pod := range pods {
		check(t, pod.DeleteCNI(t.Context()))
	}
	left(t, h)
	if names := files(t, h.Dir(), "cni", "host-local/second"); len(names) > 0 {
		t.Errorf("%s is left of the second network", names)
	}
}
