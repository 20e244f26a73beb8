package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/store/etcdtest"
)

// member kill|start|lead N
func cmdMember(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "member kill|start|lead N"
	want(ts, neg, args, 2, 2, usage)
	w := worldOf(ts)
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 || n > 3 || w.cluster == nil {
		ts.Fatalf("usage: %s, with N from 1 to 3, after etcd cluster", usage)
	}
	switch args[0] {
	case "kill":
		w.cluster.Kill(n)
	case "start":
		ctx, cancel := context.WithTimeout(w.ctx, startLimit)
		defer cancel()
		ts.Check(w.cluster.Start(ctx, n))
	case "lead":
		ts.Check(w.within(settleLimit, func() error { return w.lead(n - 1) }))
	default:
		ts.Fatalf("usage: %s", usage)
	}
}

// member is what etcdctl tells of one.
type member struct {
	Endpoint string
	Status   struct {
		Leader uint64 `json:"leader"`
		Header struct {
			ID uint64 `json:"member_id"`
		} `json:"header"`
	}
}

func (m member) leads() bool { return m.Status.Leader == m.Status.Header.ID }

// lead makes member i the leader, unless it is.
func (w *world) lead(i int) error {
	endpoints := w.lab.Endpoints()
	out, errOut, err := w.run(lab.StoreHost, []string{"etcdctl", "--endpoints=" + endpoints, "endpoint", "status", "-w", "json"})
	if err != nil {
		return fmt.Errorf("ask who leads: %w: %s", err, errOut)
	}
	var all []member
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return err
	}
	heir := strings.Split(endpoints, ",")[i]
	for _, m := range all {
		if m.Endpoint == heir && m.leads() {
			return nil
		}
	}
	for _, m := range all {
		if m.leads() {
			return w.handOver(m, all, heir)
		}
	}
	return fmt.Errorf("nobody leads")
}

func (w *world) handOver(leader member, all []member, heir string) error {
	for _, m := range all {
		if m.Endpoint != heir {
			continue
		}
		to := strconv.FormatUint(m.Status.Header.ID, 16)
		if _, errOut, err := w.run(lab.StoreHost, []string{"etcdctl", "--endpoints=" + leader.Endpoint, "move-leader", to}); err != nil {
			return fmt.Errorf("make %s the leader: %w: %s", heir, err, errOut)
		}
		return nil
	}
	return fmt.Errorf("%s does not answer", heir)
}

// certificates both|issue|new: the three steps of replacing a CA.
func cmdCertificates(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "certificates both|issue|new"
	want(ts, neg, args, 1, 1, usage)
	trusted, next := ts.MkAbs("ca.crt"), ts.MkAbs("next.crt")
	switch args[0] {
	case "both":
		ca, err := etcdtest.NewCA(ts.MkAbs("."), "next")
		ts.Check(err)
		worldOf(ts).nextCA = ca
		ts.Check(os.WriteFile(trusted, bytes.Join([][]byte{[]byte(ts.ReadFile(trusted)), []byte(ts.ReadFile(next))}, nil), 0o600))
	case "issue":
		issue(ts, worldOf(ts).nextCA, worldOf(ts).host(ts, lab.StoreHost))
	case "new":
		ts.Check(os.WriteFile(trusted, []byte(ts.ReadFile(next)), 0o600))
	default:
		ts.Fatalf("usage: %s", usage)
	}
}
