package fastpath

import (
	"fmt"
	"path/filepath"

	"github.com/cilium/ebpf"
)

// Counts are what became of packets between pods of this host and remote
// subnets, since the fast path was made.
type Counts struct {
	Fast uint64
	Slow map[string]uint64 // that took the kernel's own path, by why
}

// reasons name outcomes but for fast, for status and metrics.
var reasons = [outcomes]string{
	slowNAT: "nat", slowTracked: "tracked", slowPolicy: "policy", slowSize: "mtu", slowFragment: "fragment", slowOptions: "options", slowTTL: "ttl",
	slowProtocol: "protocol", slowSource: "source", slowDestination: "destination", slowTunnel: "tunnel", slowNeighbour: "neighbour",
	slowOther: "other",
}

// Count returns the counts of the fast path called name. An error for which
// errors.Is(err, fs.ErrNotExist) holds says that there is none.
func (c *Conn) Count(name string) (out Counts, err error) {
	err = c.do(func() error {
		base, err := c.base()
		if err != nil {
			return err
		}
		m, err := ebpf.LoadPinnedMap(filepath.Join(base, dirName(name), countsMap), &ebpf.LoadPinOptions{ReadOnly: true})
		if err != nil {
			return fmt.Errorf("open the counts of fast path %s: %w", name, err)
		}
		defer m.Close()
		all, err := readCounts(m)
		if err != nil {
			return fmt.Errorf("read the counts of fast path %s: %w", name, err)
		}
		out = summed(all)
		return nil
	})
	return out, err
}

// readCounts returns the counts by outcome: from pods, then to pods.
func readCounts(m *ebpf.Map) (out [2 * outcomes]uint64, err error) {
	for i := range out {
		var each []uint64 // by processor
		if err := m.Lookup(uint32(i), &each); err != nil {
			return out, err
		}
		for _, n := range each {
			out[i] += n
		}
	}
	return out, nil
}

func summed(all [2 * outcomes]uint64) Counts {
	c := Counts{Slow: map[string]uint64{}}
	for i, n := range all {
		switch outcome := i % outcomes; {
		case outcome == fast:
			c.Fast += n
		case n > 0:
			c.Slow[reasons[outcome]] += n
		}
	}
	return c
}
