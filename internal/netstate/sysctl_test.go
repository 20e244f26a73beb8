package netstate

import "testing"

func TestASysctlThatWillDoStays(t *testing.T) {
	const name = "sysctl net/ipv6/conf/eth0/accept_ra "
	for have, tc := range map[string]struct {
		want    string
		changes int
	}{
		"0":          {"2 unless 0", 0},
		"1":          {"2 unless 0", 1},
		"2":          {"2 unless 0", 0},
		"2 unless 0": {"2", 1}, // nobody knows which of them the kernel has
		"4096 87380": {"4096 87381", 1},
	} {
		h, w := parse(t, name+have), parse(t, name+tc.want)
		if ops := Diff(h, w); len(ops) != tc.changes {
			t.Errorf("%s to %s: %v", have, tc.want, ops)
		}
	}
	s := parse(t, name+"2 unless 0")
	for value, news := range map[string]bool{"0": false, "1": true, "2": false} {
		if got := s.News(Event{Row: Sysctl{Name: "net/ipv6/conf/eth0/accept_ra", Value: value}}); got != news {
			t.Errorf("%s is news: %t", value, got)
		}
	}
}

func TestOnlyDevicesParametersBelongToOne(t *testing.T) {
	for name, dev := range map[string]string{
		"net/ipv4/ip_forward": "", "net/ipv6/conf/all/forwarding": "", "net/ipv4/conf/default/rp_filter": "",
		"net/ipv4/conf/flannel.1/rp_filter": "flannel.1",
	} {
		if got := (Sysctl{Name: name}).Dev(); got != dev {
			t.Errorf("%s: %q", name, got)
		}
	}
}
