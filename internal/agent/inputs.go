package agent

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// configure takes up the snapshot's config. A config that cannot be used
// leaves the last good one in force.
func (s *steerer) configure() {
	doc := s.memory.Snapshot.Config
	missing := s.noConfig()
	s.unconfigured.say(s.log, "no network config", missing)
	if missing != nil {
		s.board.config(missing)
	}
	if doc == nil {
		return
	}
	if bytes.Equal(doc, s.config) {
		if !s.lostConfig && bytes.Equal(doc, s.doc) {
			s.board.config(nil)
		}
		return
	}
	s.config = doc
	net, err := netconf.Parse(doc)
	if !s.lostConfig {
		s.board.config(err)
	}
	if err != nil {
		message := "the network config cannot be used; the last good one stays in force"
		if s.net == nil {
			message = "the network config cannot be used; waiting for a good one"
		}
		s.log.Error(message, "error", err)
		return
	}
	if len(net.Unknown) > 0 {
		s.log.Warn("the network config has keys that weft does not know", "keys", net.Unknown)
	}
	if s.net != nil {
		s.memory.past = append(s.memory.past, pasts(s.doc)...)
	}
	s.doc, s.net, s.stale = doc, &net, true
	s.log.Info("network config", "network", net.Prefixes(), "backend", net.Backend.Type)
}

// noConfig is the error of a store without a config, nil if it has one.
func (s *steerer) noConfig() error {
	switch {
	case s.memory.Snapshot.Config == nil:
		return errors.New("the store has no network config yet; " + s.opts.configAdvice())
	case s.lostConfig:
		return errors.New("the store has lost its network config; the last one stays in force, put it back: " + s.opts.configAdvice())
	}
	return nil
}

// look makes sure that the host's facts are known.
func (s *steerer) look(ctx context.Context) error {
	if s.host != nil && !s.stale {
		return nil
	}
	facts, err := host.Choose(ctx, s.opts.Source, withAssigned(s.opts.Uplink, s.memory.Snapshot.Assigned), s.networks())
	if err != nil {
		return err
	}
	s.stale = false
	s.board.facts(&facts, nil)
	if s.host != nil && !slices.Equal(s.host.Uplink.Addrs, facts.Uplink.Addrs) {
		s.opts.Store.Redial()
	}
	if s.host == nil || !reflect.DeepEqual(*s.host, facts) {
		s.tell(facts)
		s.host, s.dirty = &facts, true
	}
	return nil
}

// withAssigned is how to choose the uplink: addresses that the store has for
// this host go before those of the command line, each for its family.
func withAssigned(o host.Options, a *store.Assignment) host.Options {
	if a == nil || len(a.Uplink) == 0 {
		return o
	}
	public := slices.Clone(a.Uplink)
	for _, addr := range o.Public {
		if !slices.ContainsFunc(public, netconf.Of(netconf.FamilyOf(addr))) {
			public = append(public, addr)
		}
	}
	slices.SortFunc(public, netip.Addr.Compare) // v4 first
	o.Public = public
	return o
}

// sameUplink tells whether a and b choose the same uplink.
func sameUplink(a, b *store.Assignment) bool {
	return reflect.DeepEqual(withAssigned(host.Options{}, a), withAssigned(host.Options{}, b))
}

// tell logs what is new about the host.
func (s *steerer) tell(facts host.Facts) {
	old := host.Facts{}
	if s.host != nil {
		old = *s.host
	}
	if s.host == nil || !reflect.DeepEqual(old.Uplink, facts.Uplink) {
		s.log.Info("uplink", "name", facts.Uplink.Name, "addresses", facts.Uplink.Addrs, "mtu", facts.Uplink.MTU, "chosen by", facts.Uplink.Reason)
	}
	for _, b := range facts.Barriers {
		known := slices.ContainsFunc(old.Barriers, func(o host.Barrier) bool { return o.Compare(b) == 0 && o.Stops == b.Stops })
		if !known {
			s.log.Info("another firewall can stop packets", "chain", b.String(), "by", b.Stops)
		}
	}
}
