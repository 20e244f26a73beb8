package agent

import (
	"fmt"
	"os"
	"strings"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/subnetenv"
)

// passed is called by the loop after each pass.
func (s *steerer) passed(p reconcile.Pass) {
	first := s.board.pass(p)
	s.complain(p)
	s.passes.put(p)
	if p.Err != nil {
		return
	}
	s.tellChanges(p)
	if err := s.writeSubnetFile(); err != nil {
		s.log.Error("subnet file not written; containers cannot learn their subnet", "error", err)
	}
	if first && s.opts.Notify != nil {
		s.opts.Notify()
	}
}

// tellChanges logs what a pass did: of a repair the first row, of others how
// many there are.
func (s *steerer) tellChanges(p reconcile.Pass) {
	switch n := len(p.Ops); {
	case n == 0:
	case p.Repair:
		s.log.Info("put right", andMore(n-1, "row", p.Ops[0].String())...)
	default:
		s.log.Info("kernel brought up to the plan", "rows", p.Rows, "changed", n, "failed", len(p.Failures), "took", p.Took)
	}
}

// drifted is called by the loop when somebody else did something to rows of
// ours. It logs the first row, and how many there are.
func (s *steerer) drifted(events []netstate.Event) {
	s.board.drift(events)
	first := events[0]
	attrs := andMore(len(events)-1, "row", first.Row.String())
	who := first.By
	if who == "" {
		who = process(first.PID)
	}
	if who != "" {
		attrs = append(attrs, attrBy, who)
	}
	what := "changed"
	if first.Gone {
		what = "removed"
	}
	s.log.Warn("a row was "+what+" from outside; putting it right", attrs...)
}

// andMore adds to attrs that n more are left unsaid, if so.
func andMore(n int, attrs ...any) []any {
	if n > 0 {
		attrs = append(attrs, "and more", n)
	}
	return attrs
}

// process names the process that a netlink port belongs to, if the port is a
// process id as it mostly is; "" if that cannot be told.
func process(pid uint32) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if pid == 0 || err != nil {
		return ""
	}
	return fmt.Sprintf("%s[%d]", strings.TrimSpace(string(comm)), pid)
}

// complain logs what keeps the kernel from the plan, once for as long as it
// is the same.
func (s *steerer) complain(p reconcile.Pass) {
	now := map[string]bool{}
	complain := func(what, problem string) {
		if !s.complained[problem] {
			s.log.Error(what, "problem", problem)
		}
		now[problem] = true
	}
	const again = "the kernel is not as planned; trying again"
	if p.Err != nil {
		complain(again, "looking at the kernel: "+p.Err.Error())
	}
	for _, f := range p.Failures {
		complain(again, f.Error())
	}
	for _, r := range p.Overtaken {
		complain("another's route stands ahead of the plan", overtaken(r).Message)
	}
	if len(now) == 0 && len(s.complained) > 0 {
		s.log.Info("the kernel is as planned again")
	}
	s.complained = now
}

// overtaken says what a route of somebody else's does that weft must not
// remove.
func overtaken(r netstate.Route) api.Problem {
	remove := "ip route del " + r.Dst.String()
	if r.Dst.Addr().Is6() {
		remove = "ip -6 route del " + r.Dst.String()
	}
	return api.Problem{Subject: "another's route", Message: fmt.Sprintf(
		"%q is more specific than the route to a peer and takes packets away from it; if that is not meant to be: %s", r, remove)}
}

// writeSubnetFile tells container runtimes what the plan now carries.
func (s *steerer) writeSubnetFile() error {
	in := s.board.input()
	if in == nil {
		return nil
	}
	err := subnetenv.Write(s.opts.SubnetFile, subnetenv.Env{
		Networks: in.Net.Prefixes(),
		Subnets:  in.Self.Subnets,
		MTU:      plan.MTU(in.Net, in.Host),
		IPMasq:   s.opts.Firewall.Masquerade,
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", s.opts.SubnetFile, err)
	}
	s.board.subnetFile(err)
	return err
}
