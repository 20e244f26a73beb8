package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
)

// config is a network document with the given backend.
func config(backend string) string {
	return `{"Network": "172.7.0.0/16", "SubnetMin": "172.7.10.0", "SubnetMax": "172.7.99.0",
		"EnableIPv6": true, "IPv6Network": "fd17:7::/48", "Backend": ` + backend + `}`
}

// configs are those that may come into force; the first is in force before and after. In other networks hosts have
// other subnets, and those that their pods are in drain meanwhile.
var configs = []string{
	config(`{"Type": "vxlan", "DirectRouting": true}`),
	config(`{"Type": "vxlan"}`),
	config(`{"Type": "vxlan", "VNI": 2}`),
	config(`{"Type": "vxlan", "VNI": 2, "DirectRouting": true, "Port": 4789}`),
	config(`{"Type": "vxlan", "Port": 4789}`),
	config(`{"Type": "host-gw"}`), // across the segments nobody is reached by it
	`{"Network": "10.9.0.0/16", "EnableIPv6": true, "IPv6Network": "fd17:7::/48", "Backend": {"Type": "vxlan"}}`,
	`{"Network": "10.9.0.0/16", "EnableIPv6": true, "IPv6Network": "fd19:9::/48", "Backend": {"Type": "vxlan", "VNI": 2}}`,
	`{"Network": "172.6.0.0/15", "SubnetLen": 25, "SubnetMin": "172.6.0.128", "SubnetMax": "172.6.255.128",
		"EnableIPv6": true, "IPv6Network": "fd17:7::/40", "Backend": {"Type": "vxlan"}}`,
	`{"Network": "nonsense"`,
}

// storeFaults are what befalls the store. Two never happen at once, since what is done to a store that is away fails.
func storeFaults() []fault {
	return []fault{
		{"store killed", onStore(func(w *world) error { w.store.Kill(); return nil }, (*world).startStore)},
		{"store hangs", onStore(signalStore(syscall.SIGSTOP), signalStore(syscall.SIGCONT))},
		{"store emptied", onStore(emptied, func(w *world) error { return w.configure(configs[0]) })},
		{"a lease deleted", deleted},
		{"rubbish among the leases", rubbish},
		{"config changed", reconfigured},
		{"config changed again", reconfigured},
	}
}

func onStore(do, end func(*world) error) begin {
	return func(w *world, _ *rand.Rand) (broken, error) {
		return broken{what: "store", do: func() error { return do(w) }, end: func() error { return end(w) }}, nil
	}
}

func signalStore(s syscall.Signal) func(*world) error {
	return func(w *world) error { return syscall.Kill(w.store.PID(), s) }
}

func emptied(w *world) error {
	_, err := w.etcdctl("del", "--prefix", "/")
	return err
}

func reconfigured(w *world, rnd *rand.Rand) (broken, error) {
	doc := configs[rnd.IntN(len(configs))]
	return broken{what: "store", do: func() error { return w.configure(doc) }}, nil
}

func deleted(w *world, rnd *rand.Rand) (broken, error) {
	m := w.members[rnd.IntN(len(w.members))]
	return broken{what: "store", do: func() error {
		subnet, err := m.Host.Subnet()
		if err != nil {
			return err
		}
		_, err = w.etcdctl("del", "--prefix", "/coreos.com/network/subnets/"+subnet.Gateways[0].Masked().Addr().String()+"-")
		return err
	}}, nil
}

// strays are keys and values that no host wrote. None lies where the hosts' subnets are: a host that has lost
// its lease must find its subnet free.
var strays = [][2]string{
	{"nonsense", `{"PublicIP":"10.4.7.99"}`},
	{"172.7.200.0-24", `not JSON`},
	{"172.7.201.0-24", `{"PublicIP":"10.4.7.201","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}}`},
	{"172.7.202.0-24", `{"PublicIP":"10.4.7.202","BackendType":"warp"}`},
	{"172.7.203.0-24", `{"PublicIP":"127.0.0.1","BackendType":"host-gw"}`},
	{"172.7.192.0-20", `{"PublicIP":"10.4.7.204","BackendType":"host-gw"}`}, // overlaps the others
	{"192.168.0.0-24", `{"PublicIP":"10.4.7.205","BackendType":"host-gw"}`},
	{"172.7.206.0-24", `{"PublicIP":"10.4.7.204","BackendType":"host-gw"}`},
}

// isStray reports whether a problem's subject, a key or a peer's subnet, is one of strays.
func isStray(subject string) bool {
	return slices.ContainsFunc(strays, func(s [2]string) bool {
		return strings.HasSuffix(subject, s[0]) || subject == strings.Replace(s[0], "-", "/", 1)
	})
}

func rubbish(w *world, rnd *rand.Rand) (broken, error) {
	s := strays[rnd.IntN(len(strays))]
	return broken{what: "store", do: func() error { return w.put(s) }}, nil
}

// put writes a stray among the leases.
func (w *world) put(stray [2]string) error {
	_, err := w.etcdctl("put", "/coreos.com/network/subnets/"+stray[0], stray[1])
	return err
}

// leaseKeys lists what stands among the leases.
func (w *world) leaseKeys() ([]string, error) {
	out, err := w.etcdctl("get", "--prefix", "--keys-only", "/coreos.com/network/subnets/")
	if err != nil {
		return nil, err
	}
	var keys []string
	for line := range strings.Lines(out) {
		if key, ok := strings.CutPrefix(strings.TrimSpace(line), "/coreos.com/network/subnets/"); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// expectedKey is the lease key of the subnets that the member has had from the start.
func (m *member) expectedKey() (string, error) {
	subnet, err := m.Host.Subnet()
	if err != nil {
		return "", err
	}
	var parts []string
	for _, g := range subnet.Gateways {
		parts = append(parts, fmt.Sprintf("%s-%d", g.Masked().Addr(), g.Bits()))
	}
	return strings.Join(parts, "&"), nil
}

func sortByName(fs []fault) {
	slices.SortFunc(fs, func(a, b fault) int { return cmp.Compare(a.name, b.name) })
}
