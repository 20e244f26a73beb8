package nft

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

const (
	// maxElements is the number of elements in one message, 72 bytes each at
	// most: an attribute holds 64 KiB.
	maxElements = 400

	// maxTransaction is the size up to which a transaction is tried as one, in
	// bytes. What the socket takes depends on the host: see failAll.
	maxTransaction = 8 << 20
)

// Handles reports whether r is a row that this package writes.
func Handles(r netstate.Row) bool {
	switch r := r.(type) {
	case netstate.NFTable, netstate.Set, netstate.Element, netstate.Chain, netstate.Rule:
		return true
	case netstate.HookRule:
		return r.Via == netstate.ViaNFT
	case netstate.Leftover:
		return r.Via == netstate.ViaNFT
	}
	return false
}

// Apply carries out ops, all of rows that Handles is true of, and returns the
// error of each. They are one transaction, unless so many elements are among
// them that they do not fit one. What the kernel refuses is left out and the
// rest is done.
func (c *Conn) Apply(ops []netstate.Op) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := make([]error, len(ops))
	todo := make([]int, len(ops))
	for i := range todo {
		todo[i] = i
	}
	w := &writer{Conn: c, ops: ops, errs: errs, single: map[int]bool{}, limit: maxTransaction}
	for len(todo) > 0 {
		w.known, w.empty = map[place][]rule{}, map[string]bool{}
		todo = w.round(todo)
	}
	return errs
}

// writer carries out ops, in one attempt or more.
type writer struct {
	*Conn
	ops       []netstate.Op
	errs      []error
	single    map[int]bool    // elements that go in a message of their own
	limit     int             // size of a transaction, in bytes
	intervals map[setKey]bool // which sets have intervals; nil: not known yet

	// Of the present attempt:
	known  map[place][]rule // the rules of chains, as they will stand
	empty  map[string]bool  // tables of ours that were removed
	batch  rtnl.Batch
	owners [][]int // the ops of each message
	sets   uint32  // how many sets the transaction makes
}

// round tries the ops of todo and returns what has to be tried again because
// the transaction that it stood in failed for the sake of others.
func (w *writer) round(todo []int) []int {
	w.begin()
	for n := 0; n < len(todo); {
		if w.batch.Size() > w.limit {
			if again := w.commit(); again != nil {
				return slices.Concat(again, todo[n:])
			}
			w.begin()
		}
		group := w.group(todo[n:])
		if err := w.encode(group); err != nil {
			for _, i := range group {
				w.errs[i] = err
			}
		}
		n += len(group)
	}
	return w.commit()
}

func (w *writer) begin() {
	w.batch.Reset()
	w.owners = nil
	w.sets = 0
	bound(&w.batch, unix.NFNL_MSG_BATCH_BEGIN)
	w.own(nil)
}

// own notes which ops the messages since the last call belong to.
func (w *writer) own(group []int) {
	for len(w.owners) < w.batch.Len() {
		w.owners = append(w.owners, group)
	}
}

// group returns the ops at the head of todo that go together: elements of one
// set that are all added or all removed, else a single op.
func (w *writer) group(todo []int) []int {
	first := w.ops[todo[0]]
	e, ok := first.Row.(netstate.Element)
	if !ok || w.single[todo[0]] {
		return todo[:1]
	}
	n := 1
	for n < len(todo) && n < maxElements && !w.single[todo[n]] {
		op := w.ops[todo[n]]
		o, ok := op.Row.(netstate.Element)
		if !ok || (op.Verb == netstate.Remove) != (first.Verb == netstate.Remove) || o.Table != e.Table || o.Set != e.Set {
			break
		}
		n++
	}
	return todo[:n]
}

// commit sends the transaction. If it fails, the culprits get their errors and
// all others are returned, to be tried without them.
func (w *writer) commit() (again []int) {
	if w.batch.Len() < 2 {
		return nil
	}
	bound(&w.batch, unix.NFNL_MSG_BATCH_END)
	faults := w.conn.Transact(&w.batch)
	if len(faults) == 0 {
		return nil
	}
	guilty := map[int]bool{}
	for _, f := range faults {
		if f.Message == 0 || f.Message >= len(w.owners) {
			return w.failAll(f.Err)
		}
		group := w.owners[f.Message]
		for _, i := range group {
			if len(group) > 1 {
				w.single[i] = true // to find out which of them it is
				continue
			}
			guilty[i] = true
			if w.ops[i].Verb != netstate.Remove || !isGone(f.Err) {
				w.errs[i] = featureless(f.Err)
			}
		}
	}
	for _, i := range w.all() {
		if !guilty[i] {
			again = append(again, i)
		}
	}
	return again
}

// failAll returns what has to be tried again after the whole transaction has
// failed. A smaller one may fit the socket's buffers; else all ops
// get the error.
func (w *writer) failAll(err error) []int {
	all := w.all()
	if rtnl.IsTooMuch(err) && len(all) > 1 {
		w.limit = min(w.limit, w.batch.Size()) / 2
		if len(w.group(all)) == len(all) {
			for _, i := range all {
				w.single[i] = true
			}
		}
		return all
	}
	for _, i := range all {
		w.errs[i] = explain(err)
	}
	return nil
}

// all returns the ops of the transaction, each once.
func (w *writer) all() (out []int) {
	for _, group := range w.owners {
		for _, i := range group {
			if len(out) == 0 || out[len(out)-1] < i {
				out = append(out, i)
			}
		}
	}
	return out
}

func isGone(err error) bool { return errors.Is(err, syscall.ENOENT) }

// featureless says of a refusal what it most likely means.
func featureless(err error) error {
	switch {
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%w: this kernel's nf_tables lacks what the object needs; is a module missing (nft_nat, nft_masq, nft_chain_nat)?", err)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("%w: the table, chain or set is gone, or the kernel lacks a module that the rule needs (nft_nat, nft_masq, nft_chain_nat)", err)
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: another program has the table to itself (flags owner)", err)
	}
	return err
}

// encode puts the messages of a group.
func (w *writer) encode(group []int) (err error) {
	op := w.ops[group[0]]
	remove := op.Verb == netstate.Remove
	switch r := op.Row.(type) {
	case netstate.NFTable:
		encodeTable(&w.batch, r.Name, unix.NFPROTO_INET, remove)
		if remove {
			w.forget(r.Name)
		}
	case netstate.Set:
		w.set(r, remove)
	case netstate.Element:
		w.elements(group, remove)
	case netstate.Chain:
		w.chain(r, remove)
	case netstate.Rule:
		err = w.rule(r, remove)
	case netstate.HookRule:
		err = w.foreign(r, remove)
	case netstate.Leftover:
		err = w.leftover(r)
	default:
		err = fmt.Errorf("objects of type %T are not nftables'", op.Row)
	}
	w.own(group)
	return err
}

func (w *writer) set(s netstate.Set, remove bool) {
	if remove {
		encodeNoSet(&w.batch, s)
		return
	}
	w.sets++
	encodeSet(&w.batch, s, w.sets)
}

func (w *writer) elements(group []int, remove bool) {
	members := make([]netstate.Element, len(group))
	for n, i := range group {
		members[n] = w.ops[i].Row.(netstate.Element)
	}
	encodeElements(&w.batch, members, w.interval(members), remove)
}

func (w *writer) chain(c netstate.Chain, remove bool) {
	if remove {
		p := place{unix.NFPROTO_INET, c.Table, c.Name}
		encodeNoRule(&w.batch, p, 0)
		encodeNoChain(&w.batch, p.family, p.table, p.chain)
		delete(w.known, p)
		return
	}
	encodeChain(&w.batch, c)
}
