package fastpath

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/absence"
)

// newConn has a BPF file system of its own, and the devices of wanted.
func newConn(t *testing.T) *Conn {
	t.Helper()
	absence.Tcx(t)
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	device(t, "veth-a")
	device(t, "up-a")
	newBridge(t)
	return &Conn{do: func(f func() error) error { return f() }, root: dir}
}

func wanted(t *testing.T, mode string) *netstate.State {
	t.Helper()
	s, err := netstate.Parse(strings.NewReader(strings.NewReplacer("MODE", mode, "CODE", Code()).Replace(`
fastpath weft.7 mode MODE dev up-a vni 7 local 10.4.0.1 port 8472 mac 02:00:00:00:09:01 code CODE
fastremote weft.7 10.5.2.0/24 host 10.4.0.2 mac 02:00:00:00:09:02 mtu 1450
fastremote weft.7 10.5.3.0/24 host 10.4.0.3 mtu 1500
fastremote weft.7 fd05:0:0:3::/64 host fd04::3 mtu 1500
fastpod weft.7 10.5.1.7 dev veth-a mac 02:00:00:00:01:01 via 02:00:00:00:01:02 mtu 1450
fastpod weft.7 fd05:0:0:1::7 dev veth-a mac 02:00:00:00:01:01 via 02:00:00:00:01:02 mtu 1450
fastbridge weft.7 10.5.1.128/25 dev br-a mtu 1450
fasthook weft.7 br-a bridge
fasthook weft.7 up-a uplink
fasthook weft.7 veth-a pod
`)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func everybodys(string, []netip.Prefix) bool { return true }

func (c *Conn) state(t testing.TB, owns func(string, []netip.Prefix) bool) *netstate.State {
	t.Helper()
	found, err := c.Observe(owns)
	if err != nil {
		t.Fatal(err)
	}
	s, err := (&netstate.Builder{Fast: found}).State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reach makes c equal to want, by one look and one round of changes.
func (c *Conn) reach(t testing.TB, want *netstate.State) (ops []netstate.Op) {
	t.Helper()
	ops = netstate.Diff(c.state(t, everybodys), want)
	for i, err := range c.Apply(ops) {
		if err != nil {
			t.Fatalf("%s: %v", ops[i], err)
		}
	}
	if got := c.state(t, everybodys).String(); got != want.String() {
		t.Fatalf("there is\n%s\nwant\n%s", got, want)
	}
	return ops
}

// running returns the ids of programs at the ingress of a device.
func running(t *testing.T, dev string) (ids []ebpf.ProgramID) {
	t.Helper()
	index, err := indexOf(dev)
	if err != nil {
		t.Fatal(err)
	}
	found, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found.Programs {
		ids = append(ids, p.ID)
	}
	return ids
}

// TestLifeOfAFastPath makes one, finds it again without memory, changes its
// mode in place, and removes it.
func TestLifeOfAFastPath(t *testing.T) {
	c := newConn(t)
	c.reach(t, wanted(t, netstate.FastAll))
	before := running(t, "veth-a")
	if len(before) != 1 || len(running(t, "br-a")) != 1 || len(running(t, "up-a")) != 1 {
		t.Fatal("programs are not attached")
	}
	again := &Conn{do: c.do, root: c.root}
	if ops := again.reach(t, wanted(t, netstate.FastAll)); len(ops) > 0 {
		t.Errorf("another agent would change %v", ops)
	}
	ops := again.reach(t, wanted(t, netstate.FastEstablished))
	if len(ops) != 1 || ops[0].Verb != netstate.Replace {
		t.Errorf("the mode changed by %v", ops)
	}
	if after := running(t, "veth-a"); len(after) != 1 || slices.Equal(after, before) {
		t.Errorf("at the pod run %v, before %v", after, before)
	}
	again.reach(t, &netstate.State{})
	if len(running(t, "veth-a"))+len(running(t, "br-a"))+len(running(t, "up-a")) > 0 {
		t.Error("programs run that nobody wants")
	}
}

// TestOthersStay: another agent's fast path, and other programs at the same hook.
func TestOthersStay(t *testing.T) {
	c := newConn(t)
	o, err := load(conf{Mode: modeAll}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	index, err := indexOf("up-a")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := link.AttachTCX(link.TCXOptions{Interface: index, Program: o.Programs[podProgram], Attach: ebpf.AttachTCXIngress})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = foreign.Close() }()
	theirs := running(t, "up-a")
	c.reach(t, wanted(t, netstate.FastAll))
	if got := running(t, "up-a"); len(got) != 2 || got[0] != theirs[0] {
		t.Errorf("at the uplink run %v; weft's program has to be the last, behind %v", got, theirs)
	}
	mine := func(name string, about []netip.Prefix) bool {
		return name == "weft.7" && slices.Contains(about, netip.MustParsePrefix("10.5.1.7/32"))
	}
	if c.state(t, mine).Len() == 0 {
		t.Error("what a path knows does not tell whose it is")
	}
	if rows := c.state(t, func(name string, _ []netip.Prefix) bool { return name == "weft" }); rows.Len() > 0 {
		t.Errorf("another agent finds\n%s", rows)
	}
	c.reach(t, &netstate.State{})
	if got := running(t, "up-a"); !slices.Equal(got, theirs) {
		t.Errorf("at the uplink run %v, and before weft %v", got, theirs)
	}
}

// TestHealing takes parts away, as others may and as devices do that go.
func TestHealing(t *testing.T) {
	c := newConn(t)
	want := wanted(t, netstate.FastAll)
	c.reach(t, want)
	base, err := c.base()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "weft_7")
	for _, gone := range []string{constantsPin, podsMap, bridgesMap, "hook-*-bridge", "hook-*-pod", "hook-*-uplink", uplinkProgram} {
		pins, err := filepath.Glob(filepath.Join(dir, gone))
		if err != nil || len(pins) != 1 {
			t.Fatalf("%s: %v, %v", gone, pins, err)
		}
		take := os.Remove
		if strings.HasPrefix(gone, hookPins) {
			take = unhook
		}
		if err := take(pins[0]); err != nil {
			t.Fatal(err)
		}
		if gone == uplinkProgram { // it runs on, and is made anew with the next hook
			break
		}
		if ops := c.reach(t, want); len(ops) == 0 {
			t.Errorf("nobody missed %s", gone)
		}
		if len(running(t, "br-a")) != 1 || len(running(t, "veth-a")) != 1 || len(running(t, "up-a")) != 1 {
			t.Errorf("after %s went: %v and %v run", gone, running(t, "veth-a"), running(t, "up-a"))
		}
	}
}

// TestPodThatIsGone: a hook and a pod whose device went can be removed, and the
// next device gets its own.
func TestPodThatIsGone(t *testing.T) {
	c := newConn(t)
	want := wanted(t, netstate.FastAll)
	c.reach(t, want)
	remake(t, "veth-a")
	ops := c.reach(t, want)
	if len(running(t, "veth-a")) != 1 {
		t.Errorf("the new device runs %v after %v", running(t, "veth-a"), ops)
	}
	remake(t, "veth-a")
	hook := netstate.FastHook{Path: "weft.7", Dev: "nosuch", Point: netstate.FastFromPod}
	for _, err := range c.Apply([]netstate.Op{{Verb: netstate.Remove, Row: hook, Have: hook}}) {
		if err != nil {
			t.Error(err)
		}
	}
	for h := range c.state(t, everybodys).Fast.Hooks.All() {
		if h.Point == netstate.FastFromPod {
			t.Errorf("%s is attached to nothing and stays", h)
		}
	}
}

// TestOtherPrograms: a plan for other programs than there are is refused.
func TestOtherPrograms(t *testing.T) {
	c := newConn(t)
	row := netstate.FastPath{Name: "weft", Mode: netstate.FastAll, Dev: "up-a", Code: "0123456789abcdef"}
	errs := c.Apply([]netstate.Op{{Verb: netstate.Add, Row: row}})
	if errs[0] == nil || !strings.Contains(errs[0].Error(), row.Code) {
		t.Errorf("error %v", errs[0])
	}
}

func TestThisKernelIsFit(t *testing.T) {
	c := newConn(t)
	if why := c.Missing(); why != "" {
		t.Error(why)
	}
}
