package lease

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// running is what the record of a running agent on alpha looks like.
var running = Owner{ID: "id-1", Hostname: "alpha", Machine: "m-1", Product: "p-1", Boot: "b-1", Session: "s-1"}

func TestWhoseARecordIs(t *testing.T) {
	with := func(change func(*Owner)) Owner {
		o := running
		change(&o)
		return o
	}
	restarted := with(func(o *Owner) { o.Session = "s-2" })
	rebooted := with(func(o *Owner) { o.Boot, o.Session = "b-2", "s-2" })
	stateLost := with(func(o *Owner) { o.ID, o.Session = "id-2", "s-2" })
	reinstalled := Owner{ID: "id-2", Hostname: "beta", Machine: "m-2", Product: "p-1", Boot: "b-2", Session: "s-2"}
	old := Owner{ID: "id-1", Hostname: "alpha", Machine: "m-1"}
	for _, c := range []struct {
		name   string
		claim  Claim
		record Owner
		shared bool
		want   relation
	}{
		{"the same session", Claim{Owner: running, Held: true}, running, false, own},
		{"a restart", Claim{Owner: restarted}, running, false, own},
		{"a second agent in the same boot", Claim{Owner: restarted, Held: true}, running, false, contested},
		{"a reboot or a clone", Claim{Owner: rebooted}, running, false, contested},
		{"a reboot, and nobody answers", Claim{Owner: rebooted, Ended: []Owner{running}}, running, false, own},
		{"a reboot, and another than was asked", Claim{Owner: rebooted, Ended: []Owner{restarted}}, running, false, contested},
		{"a reboot of an older agent", Claim{Owner: rebooted}, old, false, own},
		{"an older agent after a newer one", Claim{Owner: old}, running, false, own},
		{"no boot id on either side", Claim{Owner: with(func(o *Owner) { o.Boot, o.Session = "", "s-2" })}, with(func(o *Owner) { o.Boot = "" }), false, contested},
		{"the state directory is lost", Claim{Owner: stateLost}, running, true, own},
		{"the state directory is lost and the address changed", Claim{Owner: stateLost}, running, false, stranger},
		{"set up anew", Claim{Owner: reinstalled}, running, true, contested},
		{"set up anew, and nobody answers", Claim{Owner: reinstalled, Ended: []Owner{running}}, running, true, own},
		{"set up anew after an older agent, which cannot be asked", Claim{Owner: reinstalled}, old, true, refused},
		{"another host", Claim{Owner: reinstalled}, running, false, stranger},
	} {
		if got := c.claim.relate(c.record, c.shared); got != c.want {
			t.Errorf("%s: relation %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAContestNamesBothHosts(t *testing.T) {
	all, owners := stored(t, []entry{{key: "10.5.3.0-24", public: "10.0.0.1", owner: running}})
	claim := Claim{
		Owner: Owner{ID: "id-1", Hostname: "omega", Machine: "m-1", Product: "p-2", Boot: "b-2", Session: "s-2"},
		Attrs: Attrs{Public: addrs("10.0.0.2")},
	}
	_, err := Choose(network(t, four), all, owners, claim, 7)
	contest, ok := errors.AsType[*ContestedError](err)
	if !ok {
		t.Fatalf("a clone: %v, want a ContestedError", err)
	}
	for _, word := range []string{"10.5.3.0/24", "alpha", "10.0.0.1", "omega", "10.0.0.2", "product", "--state-dir"} {
		if !strings.Contains(contest.Refusal().Error(), word) {
			t.Errorf("%q does not name %q", contest.Refusal(), word)
		}
	}
	claim.ID, claim.Machine, claim.Public = "id-2", "m-2", addrs("10.0.0.1")
	_, err = Choose(network(t, four), all, owners, claim, 7)
	if contest, ok = errors.AsType[*ContestedError](err); !ok {
		t.Fatalf("a host at a taken address: %v, want a ContestedError", err)
	}
	if taken, ok := errors.AsType[*AddressTakenError](contest.Refusal()); !ok || taken.Holder != running || taken.Claimant != claim.Owner {
		t.Errorf("refused with %v", contest.Refusal())
	}
	claim.Ended = []Owner{running}
	got, err := Choose(network(t, four), all, owners, claim, 7)
	if err != nil || Key(got.Lease.Subnets) != "10.5.3.0-24" || !got.Had || len(got.Ended) != 1 {
		t.Errorf("when the holder is silent: %+v, %v", got, err)
	}
}

// A reboot of the same machine waits least.
func TestPatience(t *testing.T) {
	rebooted := Claim{Owner: running}
	rebooted.Boot, rebooted.Session = "b-2", "s-2"
	moved := rebooted
	moved.Product = "p-2"
	quick, slow := (&ContestedError{Holder: running, Claim: rebooted}).Patience(), (&ContestedError{Holder: running, Claim: moved}).Patience()
	if quick >= slow || slow > 10*time.Second {
		t.Errorf("a reboot waits %v, another machine %v", quick, slow)
	}
}
