package agent

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/mem"
)

// The changes that a network goes through, each from the one before.
var changes = []string{
	`{"Network":"172.7.0.0/16","Backend":{"Type":"host-gw"}}`,
	`{"Network":"172.7.0.0/16","Backend":{"Type":"vxlan"}}`,
	`{"Network":"172.7.0.0/16","Backend":{"Type":"vxlan","DirectRouting":true}}`,
	`{"Network":"172.7.0.0/16","Backend":{"Type":"vxlan","VNI":2,"Port":4789}}`,
	`{"Network":"172.7.0.0/16","Backend":{"Type":"vxlan"}}`,
	`{"Network":"172.7.0.0/16","Backend":{"Type":"host-gw"}}`,
}

// reaches returns why a packet from a would not arrive at b, or nil.
func reaches(a, b *netstate.State, to netip.Prefix, bAddr netip.Addr) error {
	route, ok := a.Routes.Find(netstate.Route{Dst: to})
	if !ok {
		return fmt.Errorf("no route to %s", to)
	}
	if route.Dev == "eth0" {
		if route.Via != bAddr {
			return fmt.Errorf("%s, but the host is %s", route, bAddr)
		}
		return nil
	}
	neigh, ok := a.Neighs.Find(netstate.Neigh{Addr: route.Via, Dev: route.Dev})
	fdb, ok2 := a.FDB.Find(netstate.FDB{MAC: neigh.MAC, Dev: route.Dev})
	if !ok || !ok2 || fdb.Dst != bAddr {
		return fmt.Errorf("%s without neighbour (%v) or FDB entry (%v)", route, neigh, fdb)
	}
	sender, _ := a.Links.Find(netstate.Link{Name: route.Dev})
	i := slices.IndexFunc(b.Links.Slice(), func(l netstate.Link) bool {
		return l.VNI == sender.VNI && l.Port == sender.Port && l.MAC == neigh.MAC && l.Up
	})
	if i < 0 {
		return fmt.Errorf("%s through %s, which the receiver has not:\n%s", route, sender, b)
	}
	return nil
}

// watchAll checks at every change of any host's kernel that everybody reaches
// everybody.
func watchAll(t *testing.T, all []*fixture) (lost *[]string) {
	lost = &[]string{}
	for _, s := range all {
		go func() {
			_ = s.world.Open().Watch(t.Context(), func(netstate.Event) { check(all, lost) })
		}()
	}
	return lost
}

func check(all []*fixture, lost *[]string) {
	for _, a := range all {
		for _, b := range all {
			if a == b {
				continue
			}
			if err := reaches(a.world.State(), b.world.State(), b.held, b.addr.Addr()); err != nil {
				*lost = append(*lost, fmt.Sprintf("%s to %s: %v", a.name, b.name, err))
			}
		}
	}
}

func TestLiveChangesLoseNothing(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { changeOver(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func changeOver(t *testing.T, rng *rand.Rand) {
	st := configured(t, changes[0])
	var all []*fixture
	for i := range 4 {
		s := newFixture(t, st, fmt.Sprintf("10.4.7.%d/24", 21+i))
		s.start()
		all = append(all, s)
	}
	settle(time.Second)
	for _, s := range all {
		s.held = s.subnet()
	}
	lost := watchAll(t, all)
	for _, doc := range changes[1:] {
		late := all[rng.IntN(len(all))]
		pause := time.Duration(rng.IntN(40)) * time.Second
		switch rng.IntN(3) {
		case 0: // one host does not notice for a while
			late.store.Break(errors.New("out of reach"))
			put(t, st, doc)
			settle(pause)
			late.store.Mend()
		case 1: // one agent is down while the others change, and starts in the middle
			late.stop()
			put(t, st, doc)
			settle(pause)
			late.start()
		case 2: // one agent restarts at once
			put(t, st, doc)
			late.stop()
			late.start()
		}
		settle(5 * time.Minute)
		check(all, lost)
		for _, s := range all {
			if err := s.agent.board.Ready(); err != nil {
				t.Errorf("%s after %s: %v", s.name, doc, err)
			}
			if n := len(ours(s.world.State().Links.Slice())); n > 1 || strings.Contains(doc, "host-gw") && n > 0 {
				t.Errorf("%s after %s has still\n%s", s.name, doc, s.world.State())
			}
		}
	}
	slices.Sort(*lost)
	for _, l := range slices.Compact(*lost) {
		t.Error(l)
	}
}

// TestAnotherPortLosesNothing changes only the port, which no lease tells. It
// is enough that every agent takes notice within some seconds.
func TestAnotherPortLosesNothing(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { changePort(t, rand.New(rand.NewPCG(seed, 2))) })
		})
	}
}

func changePort(t *testing.T, rng *rand.Rand) {
	const doc = `{"Network":"172.7.0.0/16","Backend":{"Type":"vxlan","Port":%d}}`
	st := configured(t, fmt.Sprintf(doc, 8472))
	var all []*fixture
	for i := range 4 {
		s := newFixture(t, st, fmt.Sprintf("10.4.7.%d/24", 21+i))
		s.start()
		all = append(all, s)
	}
	settle(time.Second)
	for _, s := range all {
		s.held = s.subnet()
	}
	lost := watchAll(t, all)
	for _, port := range []int{4789, 5000, 8472, 4789, 8472} {
		late := all[rng.IntN(len(all))]
		late.store.Break(errors.New("out of reach"))
		put(t, st, fmt.Sprintf(doc, port))
		settle(time.Duration(rng.IntN(4)) * time.Second)
		late.store.Mend()
		settle(time.Duration(rng.IntN(3)) * time.Second)
		restarts := all[rng.IntN(len(all))]
		restarts.stop()
		restarts.start()
		settle(time.Duration(rng.IntN(4)) * time.Minute)
		check(all, lost)
	}
	settle(5 * time.Minute)
	check(all, lost)
	for _, s := range all {
		if links := ours(s.world.State().Links.Slice()); len(links) != 1 || links[0].Port != 8472 || links[0].Name != "flannel.1" {
			t.Errorf("%s has in the end %v", s.name, links)
		}
	}
	slices.Sort(*lost)
	for _, l := range slices.Compact(*lost) {
		t.Error(l)
	}
}

func ours(links []netstate.Link) []netstate.Link {
	return slices.DeleteFunc(slices.Clone(links), netstate.Link.Foreign)
}

func put(t *testing.T, st *mem.Store, doc string) {
	t.Helper()
	if err := st.SetConfig(t.Context(), []byte(doc), store.AnyRevision); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}
