package kerneltest

import (
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// testUnless wants a parameter to have a value unless it has another.
func testUnless(t *testing.T, h Host) {
	const name = "sysctl net/ipv6/conf/flannel-v6.1/accept_ra "
	apply(t, h.Kernel, netstate.Diff(&netstate.State{}, state(t, links))...)
	s := scope(t)
	s.Sysctls = []string{row(t, name+"0").(netstate.Sysctl).Name}
	want := state(t, links+"\n"+name+"2 unless 0")
	for _, tc := range [][2]string{{"0", "0"}, {"1", "2"}, {"2", "2"}} {
		apply(t, h.Other, netstate.Op{Verb: netstate.Add, Row: row(t, name+tc[0])})
		apply(t, h.Kernel, netstate.Op{Verb: netstate.Replace, Row: row(t, name+"2 unless 0"), Have: row(t, name+"1")})
		stands(t, h, s, row(t, name+tc[1]), true)
		if ops := netstate.Diff(observe(t, h.Kernel, s), want); len(ops) > 0 {
			t.Errorf("%s is to be changed: %v", tc[1], ops)
		}
	}
}
