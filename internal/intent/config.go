package intent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/netconf"
)

// config is the network config as the store has it, and the one in force.
type config struct {
	seen []byte // as last looked at, good or not
	doc  []byte // in force
	net  *netconf.Network
	err  error // why seen is not in force
}

// configure puts the stored config in force. One that cannot be used leaves
// the last good one in force.
func (t *step) configure() {
	s := t.state
	doc := s.store.snapshot.Config
	if doc != nil && !bytes.Equal(doc, s.config.seen) {
		t.readConfig(doc)
	}
	s.faults.Config = s.config.err
	if missing := s.noConfig(); missing != nil {
		s.faults.Config = missing
	}
	text := ""
	if err := s.noConfig(); err != nil {
		text = err.Error()
	}
	if text != "" && text != s.said.config {
		t.say(Warn, event.Config, "no network config", "error", text)
	}
	s.said.config = text
}

// noConfig is the error of a store without a config, nil if it has one.
func (s *State) noConfig() error {
	switch {
	case s.store.snapshot.Config == nil && s.store.snapshot.NoConfig != nil:
		return fmt.Errorf("the store has no network config: %w", s.store.snapshot.NoConfig)
	case s.store.snapshot.Config == nil:
		return errors.New("the store has no network config yet; " + s.opts.ConfigAdvice)
	case s.store.lost:
		return errors.New("the network config was deleted from the store; still using the last one, restore it: " + s.opts.ConfigAdvice)
	}
	return nil
}

func (t *step) readConfig(doc []byte) {
	s := t.state
	net, err := netconf.Parse(doc)
	s.config.seen, s.config.err = doc, err
	if err != nil {
		message := "the network config cannot be used; still using the last good one"
		if s.config.net == nil {
			message = "the network config cannot be used; waiting for a good one"
		}
		t.say(Error, event.Config, message, "error", err)
		return
	}
	if len(net.Unknown) > 0 {
		t.say(Warn, event.Config, "the network config has unknown keys, which have no effect", "keys", net.Unknown)
	}
	if s.config.net == nil {
		t.say(Info, event.Config, "network config", "network", net.Prefixes(), "backend", net.Backend.Type)
	} else {
		t.tellConfig(s.config.doc, doc)
		s.previous = append(s.previous[:len(s.previous):len(s.previous)], previousOf(*s.config.net)...)
	}
	s.config.doc, s.config.net = doc, &net
	s.store.under(previousOf(net), s.opts.Assigned)
}

// tellConfig logs which keys of the config have changed.
func (t *step) tellConfig(from, to []byte) {
	for i, c := range netconf.Changes(from, to) {
		if i == maxTold {
			t.say(Info, event.ConfigChanged, "network config changed; 'weft config get' shows all of it", "more", len(netconf.Changes(from, to))-i)
			return
		}
		t.say(Info, event.ConfigChanged, "network config changed", "key", c.Key, "from", plainValue(c.From), "to", plainValue(c.To))
	}
}

// plainValue is a value of a document as people write it: a string without its
// quotes, "default" for none.
func plainValue(doc string) string {
	var text string
	switch {
	case doc == "":
		return "default"
	case json.Unmarshal([]byte(doc), &text) == nil:
		return text
	}
	return doc
}

// previousOf returns what remains to be known of net's ranges once another config
// is in force.
func previousOf(net netconf.Network) []netconf.Previous {
	var out []netconf.Previous
	for _, r := range net.Ranges {
		out = append(out, r.Previous())
	}
	return out
}
