package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
)

// question is what an agent stores to learn whether another one runs, which
// then stores it again with its answer. It dies with a short etcd lease.
type question struct {
	From   lease.Owner  `json:"from"`
	Public []netip.Addr `json:"public,omitempty"`
	Answer *lease.Owner `json:"answer,omitempty"`
}

// questionTTL is longer than anybody waits for an answer.
const questionTTL = 30 * time.Second

// contest asks the agent that holds a lease whether it runs. It returns the
// refusal if it does; without an error the agent is silent, which the claim
// knows from then on.
func (a *acquisition) contest(ctx context.Context, c *lease.ContestedError) error {
	if a.o.Exclusive {
		a.claim.Ended = append(a.claim.Ended, c.Holder)
		return nil
	}
	runs, err := a.ask(ctx, c)
	if errors.Is(err, rpctypes.ErrPermissionDenied) && a.askRights(ctx) == nil && !a.allowed().records {
		return nil // without records nobody is known to hold it
	}
	if err != nil {
		return fmt.Errorf("acquiring a lease: asking %s, which holds subnet %s: %w", c.Holder.Name(), lease.FormatSubnets(c.Held.Subnets), err)
	}
	if runs {
		return fmt.Errorf("acquiring a lease: %w", c.Refusal())
	}
	a.log.Warn("taking over the lease of a host that does not answer",
		"lease", lease.Key(c.Held.Subnets), "host", c.Holder.Name(), "public", c.Held.Public)
	a.claim.Ended = append(a.claim.Ended, c.Holder)
	return nil
}

// ask stores a question and waits for the answer. Only a question that stood
// unanswered for the whole time, with etcd reachable, says that no agent runs.
func (a *acquisition) ask(ctx context.Context, c *lease.ContestedError) (answered bool, err error) {
	doc, err := json.Marshal(question{From: a.claim.Owner, Public: a.claim.Public})
	if err != nil {
		return false, err
	}
	id, err := a.grant(ctx, questionTTL)
	if err != nil {
		return false, err
	}
	defer a.withdraw(ctx, id)
	key := a.keys.question(c.Holder.ID, a.claim.Session)
	rev, err := a.putQuestion(ctx, key, string(doc), id)
	if err != nil {
		return false, err
	}
	// Not by a deadline, of which gRPC tells the server: it might end the watch
	// a moment earlier, and that would look like an outage.
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(c.Patience(), cancel).Stop()
	err = a.watch(within, rev+1, answerBell{}, a.keys.only(key))
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case within.Err() == nil && !errors.Is(err, errRang):
		return false, a.explain(ctx, "waiting for an answer", err)
	}
	got, err := a.fetch(ctx, "reading the answer", []string{key})
	if err != nil {
		return false, err
	}
	return answerIn(got[0])
}

func (a *acquisition) putQuestion(ctx context.Context, key, doc string, id ttlID) (rev int64, err error) {
	err = a.call(ctx, "storing a question", func(ctx context.Context, etcd *clientv3.Client) error {
		resp, err := etcd.Put(ctx, key, doc, clientv3.WithLease(id))
		if err == nil {
			rev = resp.Header.Revision
		}
		return err
	})
	return rev, err
}

// withdraw deletes a question, also when ctx is over.
func (a *acquisition) withdraw(ctx context.Context, id ttlID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := a.call(ctx, "withdrawing a question", func(ctx context.Context, etcd *clientv3.Client) error {
		_, err := etcd.Revoke(ctx, id)
		return err
	})
	if err != nil {
		a.log.Debug("a question was left to run out", "err", err)
	}
}

func answerIn(kv *mvccpb.KeyValue) (answered bool, err error) {
	if kv == nil {
		return false, errors.New("the question was deleted before it was answered")
	}
	var q question
	if err := json.Unmarshal(kv.Value, &q); err != nil {
		return false, fmt.Errorf("the answer cannot be read: %w", err)
	}
	return q.Answer != nil, nil
}

// answerBell ends a watch at the first change.
type answerBell struct{}

func (answerBell) ready(*pb.ResponseHeader) error { return nil }
func (answerBell) batch(r *pb.WatchResponse) error {
	if len(r.Events) > 0 {
		return errRang
	}
	return nil
}

// answer tells those who ask that this host's agent runs. It returns true if
// there was a question.
func (h *holder) answer(ctx context.Context, questions []*mvccpb.KeyValue) (bool, error) {
	told := false
	for _, kv := range questions {
		var q question
		if json.Unmarshal(kv.Value, &q) != nil || q.Answer != nil || q.From.Session == h.owner.Session {
			continue
		}
		q.Answer = &h.owner
		doc, err := json.Marshal(q)
		if err != nil {
			return told, err
		}
		h.log.Warn("another host asks for this host's lease; it is a copy of this host or has its address",
			"lease", h.name, "host", q.From.Name(), "public", q.Public)
		var t txn
		t.unchanged(string(kv.Key), kv)
		t.put(string(kv.Key), string(doc), ttlOf(kv))
		if _, err := h.commit(ctx, "answering "+q.From.Name(), t); err != nil {
			return told, err
		}
		told = true
	}
	return told, nil
}
