package agent

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
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
		return errors.New("the store has no network config yet; write one with 'weft config set'")
	case s.lostConfig:
		return errors.New("the store has lost its network config; the last one stays in force, put it back with 'weft config set'")
	}
	return nil
}

// look makes sure that the host's facts are known.
func (s *steerer) look(ctx context.Context) error {
	if s.host != nil && !s.stale {
		return nil
	}
	facts, err := host.Choose(ctx, s.opts.Source, s.opts.Uplink, s.networks())
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
