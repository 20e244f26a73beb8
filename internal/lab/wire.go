package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Wire counts what passes a host's uplink, from when it was started until it is stopped.
type Wire struct {
	tap      *Tap
	networks []netip.Prefix
	stop     chan struct{}
	done     sync.WaitGroup
	seen     Seen
	err      error
}

// Seen is what passed a wire.
type Seen struct {
	Clear     int // packets from or to containers that anybody could read, in VXLAN or without; agents' probes are none
	Encrypted int // WireGuard's packets with data
}

// readPause is how often a wire is read: its ring holds more frames than pass within that time.
const readPause = 100 * time.Millisecond

// StartWire counts packets within networks on the host's uplink.
func (h *Host) StartWire(networks ...netip.Prefix) (*Wire, error) {
	tap, err := h.Tap(Uplink)
	if err != nil {
		return nil, err
	}
	w := &Wire{tap: tap, networks: networks, stop: make(chan struct{})}
	w.done.Go(w.run)
	return w, nil
}

func (w *Wire) run() {
	tick := time.NewTicker(readPause)
	defer tick.Stop()
	for stopped := false; !stopped && w.err == nil; {
		select {
		case <-w.stop:
			stopped = true
		case <-tick.C:
		}
		var frames []Frame
		frames, w.err = w.tap.Frames(VXLANPorts...)
		for _, f := range frames {
			switch {
			case f.Cipher:
				w.seen.Encrypted++
			case w.within(f.Src) && w.within(f.Dst) && (isContainers(f.Src) || isContainers(f.Dst)):
				w.seen.Clear++
			}
		}
	}
}

func (w *Wire) within(a netip.Addr) bool {
	return slices.ContainsFunc(w.networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// isContainers reports whether an address of the network is not the first one of a subnet,
// which its host has.
func isContainers(a netip.Addr) bool {
	b := a.As16()
	if a.Is4() {
		return b[15] != 0
	}
	return [8]byte(b[8:]) != [8]byte{}
}

// Stop returns what has passed.
func (w *Wire) Stop() (Seen, error) {
	close(w.stop)
	w.done.Wait()
	if err := w.tap.Close(); w.err == nil && err != nil {
		w.err = err
	}
	if w.err != nil {
		return Seen{}, fmt.Errorf("count packets: %w", w.err)
	}
	return w.seen, nil
}
