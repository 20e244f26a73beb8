package nft

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// Watch begins to listen for changes of the firewall that this Conn does not
// make, in the namespace of the calling thread. It returns nil where there is
// nothing to hear, for want of nftables or of privileges.
func (c *Conn) Watch() (*Watcher, error) {
	l, err := rtnl.ListenNetfilter(c.conn.PID(), unix.NFNLGRP_NFTABLES)
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EPROTONOSUPPORT):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("watch the firewall: %w", err)
	}
	return &Watcher{conn: c, listener: l}, nil
}

// Watcher reports changes.
type Watcher struct {
	conn     *Conn
	listener *rtnl.Listener
	change   change
}

// Run calls fn for each change until ctx ends, and closes the Watcher.
func (w *Watcher) Run(ctx context.Context, fn func(netstate.Event)) (err error) {
	defer func() { err = errors.Join(err, w.listener.Close()) }()
	for m, err := range w.listener.Messages(ctx) {
		if errors.Is(err, rtnl.ErrLost) {
			w.change = change{}
			fn(netstate.Event{Facts: true})
			continue
		}
		if err != nil {
			return fmt.Errorf("watch the firewall: %w", err)
		}
		if m.Type == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN {
			w.change.report(author(m), m.PID, fn)
			w.change = change{}
			continue
		}
		w.change.take(w.conn.view.Load(), *w.conn.members.Load(), m)
	}
	return ctx.Err()
}

// change is what one transaction of somebody's did, as far as it matters.
type change struct {
	gone  []netstate.Row // rules of ours that it removed
	look  bool           // something else of ours changed
	facts bool           // what stops packets may be another now
}

// report tells of a whole transaction.
func (c *change) report(by string, pid uint32, fn func(netstate.Event)) {
	for _, r := range c.gone {
		fn(netstate.Event{Row: r, Gone: true, PID: pid, By: by})
	}
	if c.look || c.facts {
		fn(netstate.Event{Facts: c.facts, PID: pid, By: by})
	}
}

// take adds what one message tells.
func (c *change) take(v *view, sets map[setID]bool, m rtnl.Message) {
	s, ok := readSubject(m)
	if !ok {
		return
	}
	ours := s.family == unix.NFPROTO_INET && owned.IsTableName(s.table)
	row, known := v.rows[handle{table{s.family, s.table}, s.handle}]
	switch {
	case s.kind == unix.NFT_MSG_DELRULE && known:
		c.gone = append(c.gone, row)
		c.facts = c.facts || !ours
	case ours:
		c.look = true
	case s.hook, v.blocking[table{s.family, s.table}] && !isElement(s.kind), sets[setID{table{s.family, s.table}, s.set}]:
		c.facts = true
	}
}

// isElement reports whether a message is about members of a set. Other
// firewalls change some sets all the time.
func isElement(kind uint16) bool {
	return kind == unix.NFT_MSG_NEWSETELEM || kind == unix.NFT_MSG_DELSETELEM
}

// subject is what a message is about.
type subject struct {
	place
	kind   uint16 // NFT_MSG_*
	handle uint64 // of a rule
	set    string // of elements
	hook   bool   // of a chain: packets come to it by themselves
}

// readSubject reads a message about a table, chain, rule, set or elements. Of
// all of these the first attribute is the table's name.
func readSubject(m rtnl.Message) (s subject, ok bool) {
	head, attrs, ok := m.Header(nfgenSize)
	if !ok || m.Type>>8 != unix.NFNL_SUBSYS_NFTABLES {
		return s, false
	}
	s.kind, s.family = m.Type&0xff, head[0]
	for a := range attrs.All() {
		isRule := s.kind == unix.NFT_MSG_NEWRULE || s.kind == unix.NFT_MSG_DELRULE
		isChain := s.kind == unix.NFT_MSG_NEWCHAIN || s.kind == unix.NFT_MSG_DELCHAIN
		switch {
		case a.Type == unix.NFTA_TABLE_NAME:
			s.table = a.String()
		case isElement(s.kind) && a.Type == unix.NFTA_SET_ELEM_LIST_SET:
			s.set = a.String()
		case isRule && a.Type == unix.NFTA_RULE_CHAIN:
			s.chain = a.String()
		case isRule && a.Type == unix.NFTA_RULE_HANDLE:
			s.handle = a.Uint64BE()
		case isChain && a.Type == unix.NFTA_CHAIN_NAME:
			s.chain = a.String()
		case isChain && a.Type == unix.NFTA_CHAIN_HOOK:
			s.hook = true
		}
	}
	return s, s.table != ""
}

// author names the program that made a transaction, "" if the kernel does not
// tell.
func author(m rtnl.Message) string {
	_, attrs, _ := m.Header(nfgenSize)
	name, pid := "", uint32(0)
	for a := range attrs.All() {
		switch a.Type {
		case unix.NFTA_GEN_PROC_NAME:
			name = a.String()
		case unix.NFTA_GEN_PROC_PID:
			pid = a.Uint32BE()
		}
	}
	if name == "" {
		return ""
	}
	return fmt.Sprintf("%s[%d]", name, pid)
}
