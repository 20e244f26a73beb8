package nft

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
)

// list returns the rules of a chain as they will stand once what is in the
// transaction so far is done. A chain that is not there has none.
func (w *writer) list(p place) ([]rule, error) {
	if have, ok := w.known[p]; ok {
		return have, nil
	}
	if p.family == unix.NFPROTO_INET && w.empty[p.table] {
		return nil, nil
	}
	have, err := w.rules(p)
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return nil, explain(err)
	}
	w.known[p] = have
	return have, nil
}

// forget notes that a table of ours is removed.
func (w *writer) forget(name string) {
	for p := range w.known {
		if p.family == unix.NFPROTO_INET && p.table == name {
			delete(w.known, p)
		}
	}
	w.empty[name] = true
}

// rule puts r in its place, in the stead of what stands there.
func (w *writer) rule(r netstate.Rule, remove bool) error {
	if r.Body.Unknown != "" && !remove {
		return fmt.Errorf("a rule of unknown form cannot be made")
	}
	p := place{unix.NFPROTO_INET, r.Table, r.Chain}
	have, err := w.list(p)
	if err != nil {
		return err
	}
	switch {
	case r.Index >= len(have) && remove:
	case r.Index >= len(have):
		encodeRule(&w.batch, p, r.Body, atTail)
		w.known[p] = append(have, rule{place: p})
	case remove:
		encodeNoRule(&w.batch, p, have[r.Index].handle)
		w.known[p] = slices.Delete(slices.Clone(have), r.Index, r.Index+1)
	case have[r.Index].handle == 0:
		return fmt.Errorf("two rules have the place %d", r.Index)
	case have[r.Index].body() == r.Body:
	default:
		encodeOtherRule(&w.batch, p, r.Body, have[r.Index].handle)
	}
	return nil
}

// foreign makes f stand at the head of its chain, ahead of all rules that are
// not weft's, or takes it away.
func (w *writer) foreign(f netstate.HookRule, remove bool) error {
	p := place{families[f.Family], f.Table, f.Chain}
	have, err := w.list(p)
	if err != nil {
		return err
	}
	stands := false
	start, behind := head(have), false
	for i, r := range have {
		switch {
		case !r.tagged():
			behind = behind || i >= start
		case r.body() != f.Body:
		case remove || behind || i < start || stands:
			encodeNoRule(&w.batch, p, r.handle)
		default:
			stands = true
		}
	}
	switch {
	case remove || stands:
	case start > 0:
		encodeRuleBehind(&w.batch, p, f.Body, have[start-1].handle)
	default:
		encodeRule(&w.batch, p, f.Body, atHead)
	}
	return nil
}

// leftover removes a chain with the rules that lead to it, or a table.
func (w *writer) leftover(l netstate.Leftover) error {
	family := families[l.Family]
	if l.Chain == "" {
		encodeTable(&w.batch, l.Table, family, true)
		return nil
	}
	all, err := w.rules(place{family, l.Table, ""})
	if err != nil {
		return err
	}
	for _, r := range all {
		if slices.Contains(r.leads(), l.Chain) {
			encodeNoRule(&w.batch, r.place, r.handle)
		}
	}
	p := place{family, l.Table, l.Chain}
	encodeNoRule(&w.batch, p, 0)
	encodeNoChain(&w.batch, family, l.Table, l.Chain)
	return nil
}
