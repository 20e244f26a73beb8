package kube_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/kube"
	"github.com/weft-net/weft/internal/store/storetest"
)

const wide = `{"Network":"10.5.0.0/16"}`

func network(t *testing.T, doc string) netconf.Network {
	t.Helper()
	net, err := netconf.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// claim is that of a host on vxlan with an address.
func claim(addr string) lease.Claim {
	return lease.Claim{Attrs: lease.Attrs{
		Public: []netip.Addr{netip.MustParseAddr(addr)}, Backend: "vxlan",
		Data: lease.Data{V4: []byte(`{"VNI":1,"VtepMAC":"ee:d7:5f:67:71:11"}`)},
	}}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func acquire(t *testing.T, s *kube.Store, c lease.Claim) lease.Lease {
	t.Helper()
	l, err := s.Acquire(within(t), network(t, wide), c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lost waits for Hold to lose the lease for a reason.
func lost(t *testing.T, h *storetest.Holder, reason string) {
	t.Helper()
	if err := h.Err(t); !errors.Is(err, store.ErrLost) || !strings.Contains(err.Error(), reason) {
		t.Errorf("Hold: %v; want ErrLost because of %q", err, reason)
	}
}

func TestAcquireWritesFlannelsAnnotationsOnce(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	s := w.open(t, "a")
	if l := acquire(t, s, claim("192.0.2.1")); !slices.Equal(l.Subnets, prefixes("10.5.1.0/24")) || l.Reserved || l.TTL != 0 {
		t.Errorf("lease %+v", l)
	}
	for key, want := range map[string]string{
		"kube-subnet-manager": "true", "backend-type": "vxlan", "public-ip": "192.0.2.1",
		"backend-data": `{"VNI":1,"VtepMAC":"ee:d7:5f:67:71:11"}`,
	} {
		if got := w.get(t, "a").Annotations[w.prefix+"/"+key]; got != want {
			t.Errorf("annotation %s is %q, want %q", key, got, want)
		}
	}
	before := w.get(t, "a").ResourceVersion
	again := w.open(t, "a") // after a restart
	acquire(t, again, claim("192.0.2.1"))
	if n := again.Requests()["patch"]; n != 0 || w.get(t, "a").ResourceVersion != before {
		t.Errorf("%d patches for what stood there", n)
	}
	hostGW := lease.Claim{Attrs: lease.Attrs{Public: claim("192.0.2.1").Public, Backend: "host-gw"}}
	acquire(t, again, hostGW)
	if got := w.get(t, "a").Annotations[w.prefix+"/backend-data"]; got != "null" {
		t.Errorf("backend-data is %q, flannel writes null", got)
	}
}

func TestTwoPrefixesOnOneNode(t *testing.T) {
	w := newWorld(t)
	other := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	blue, err := kube.Open(t.Context(), kube.Options{Kubeconfig: w.Kubeconfig(), Prefix: other.prefix + "/blue", ConfigFile: w.config, Self: kube.Self{Node: w.node("a")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blue.Close() })
	s := w.open(t, "a")
	l := acquire(t, s, claim("192.0.2.1"))
	h := storetest.Hold(t, s, l, lease.Owner{})
	acquire(t, blue, claim("198.51.100.1"))
	if got := w.get(t, "a").Annotations; got[w.prefix+"/public-ip"] != "192.0.2.1" || got[other.prefix+"/blue-public-ip"] != "198.51.100.1" {
		t.Errorf("annotations %v", got)
	}
	w.annotate(t, "a", map[string]string{"public-ip": "192.0.2.2"})
	lost(t, h, "public-ip is \"192.0.2.2\"") // and not before, by what blue wrote
}

func TestAcquireWaitsForThePodCIDR(t *testing.T) {
	w := newWorld(t)
	s := w.open(t, "a")
	_, err := s.Acquire(within(t), network(t, wide), claim("192.0.2.1"))
	if err == nil || !strings.Contains(err.Error(), "node "+w.node("a")) || !strings.Contains(err.Error(), "no such node") {
		t.Fatalf("without a node: %v", err)
	}
	w.add(t, "a")
	_, err = s.Acquire(within(t), network(t, wide), claim("192.0.2.1"))
	if err == nil || !strings.Contains(err.Error(), "--allocate-node-cidrs") {
		t.Fatalf("without a PodCIDR: %v", err)
	}
	got := make(chan lease.Lease, 1)
	go func() {
		l, err := s.Acquire(within(t), network(t, wide), claim("192.0.2.1"))
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	watches := s.Requests()["watch"]
	for s.Requests()["watch"] == watches { // it waits now
		w.get(t, "a")
	}
	gets := s.Requests()["get"]
	for _, status := range []string{"True", "False", "True"} { // heartbeats wake nobody
		w.patch(t, "a", `{"status":{"conditions":[{"type":"Ready","status":"`+status+`"}]}}`, "status")
	}
	w.patch(t, "a", `{"spec":{"podCIDR":"10.5.7.0/24","podCIDRs":["10.5.7.0/24"]}}`)
	if l := <-got; !slices.Equal(l.Subnets, prefixes("10.5.7.0/24")) {
		t.Errorf("got %v", l.Subnets)
	}
	if n := s.Requests()["get"] - gets; n > 1 {
		t.Errorf("%d reads of the node for one event", n)
	}
}

func TestAcquireRefusesWhatCannotWork(t *testing.T) {
	w := newWorld(t)
	w.add(t, "far", "10.77.1.0/24")
	w.add(t, "six", "fc00:77::/64")
	w.add(t, "broken", "10.5.1.0/24")
	w.annotate(t, "broken", map[string]string{"public-ip-overwrite": "rubbish"})
	for name, want := range map[string]string{
		"far": "10.77.1.0/24 is outside the network 10.5.0.0/16", "six": "of another family", "broken": "public-ip-overwrite",
	} {
		_, err := w.open(t, name).Acquire(within(t), network(t, wide), claim("192.0.2.1"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if annotations := w.get(t, name).Annotations; annotations[w.prefix+"/kube-subnet-manager"] != "" {
			t.Errorf("%s was announced: %v", name, annotations)
		}
	}
}

func TestAnOverwriteIsAnnouncedAndFollowed(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	w.annotate(t, "a", map[string]string{"public-ip-overwrite": "198.51.100.7"})
	s := w.open(t, "a")
	l := acquire(t, s, claim("192.0.2.1"))
	if l.Public[0] != netip.MustParseAddr("198.51.100.7") || w.get(t, "a").Annotations[w.prefix+"/public-ip"] != "198.51.100.7" {
		t.Errorf("announced %v", l.Public)
	}
	h := storetest.Hold(t, s, l, lease.Owner{})
	w.annotate(t, "a", map[string]string{"public-ip-overwrite": ""})
	lost(t, h, "public-ip")
	if l = acquire(t, s, claim("192.0.2.1")); l.Public[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("announced %v", l.Public)
	}
}

func TestARecreatedNodeIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	s := w.open(t, "a")
	h := storetest.Hold(t, s, acquire(t, s, claim("192.0.2.1")), lease.Owner{})
	w.remove(t, "a")
	lost(t, h, "deleted")
	w.add(t, "a", "10.5.9.0/24")
	l := acquire(t, s, claim("192.0.2.1"))
	if !slices.Equal(l.Subnets, prefixes("10.5.9.0/24")) {
		t.Errorf("got %v", l.Subnets)
	}
	// The same while no agent runs: another PodCIDR, and the annotations are there.
	w.remove(t, "a")
	w.add(t, "a", "10.5.8.0/24")
	w.annotate(t, "a", map[string]string{"kube-subnet-manager": "true", "backend-type": "vxlan", "public-ip": "192.0.2.1"})
	lost(t, storetest.Hold(t, s, l, lease.Owner{}), "its PodCIDR is 10.5.8.0/24 now")
}

func TestSnapshotTellsOfThisHost(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24", "fc00:5::/64")
	w.annotate(t, "a", map[string]string{"node-public-ip": "192.0.2.77"})
	s := w.open(t, "a")
	follower := storetest.Follow(t, s)
	first := follower.Next(t).Snapshot.Assigned
	if first == nil || len(first.Subnets) != 2 || first.Attrs.Backend != "" || !slices.Equal(first.Uplink, []netip.Addr{netip.MustParseAddr("192.0.2.77")}) {
		t.Errorf("before it has joined: %+v", first)
	}
	acquire(t, s, claim("192.0.2.77"))
	joined := follower.Until(t, func(s store.Snapshot) bool { return s.Assigned.Attrs.Backend == "vxlan" })
	if string(joined.Assigned.Attrs.Data.Of(netconf.V4)) != string(claim("192.0.2.1").Data.Of(netconf.V4)) {
		t.Errorf("announced before: %+v", joined.Assigned.Attrs)
	}
	w.annotate(t, "a", map[string]string{"node-public-ip": "192.0.2.78"})
	follower.Until(t, func(s store.Snapshot) bool { return s.Assigned.Uplink[0] == netip.MustParseAddr("192.0.2.78") })
	snap, err := w.openWith(t, kube.Options{}).Snapshot(within(t)) // as a command elsewhere does
	if err != nil || snap.Assigned == nil || len(snap.Assigned.Subnets) != 0 || snap.Leases.Len() != 1 {
		t.Errorf("elsewhere: %+v, %v", snap, err)
	}
}

func TestTheConditionIsKept(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	s := w.openWith(t, kube.Options{Self: kube.Self{Node: w.node("a")}, SetNetworkUnavailable: true})
	l := acquire(t, s, claim("192.0.2.1"))
	storetest.Hold(t, s, l, lease.Owner{})
	if status, reason := w.condition(t, "a"); status != "" {
		t.Errorf("before the network is up: %s, %s", status, reason)
	}
	s.Serving(nil)
	w.awaitCondition(t, "a")
	w.patch(t, "a", `{"status":{"conditions":[{"type":"NetworkUnavailable","status":"True","reason":"NoRouteCreated"}]}}`, "status")
	w.awaitCondition(t, "a")
	if n := s.Requests()["patch"]; n != 3 {
		t.Errorf("%d patches; want one of the annotations and two of the condition", n)
	}
}

func (w *world) condition(t *testing.T, name string) (status, reason string) {
	for _, c := range w.get(t, name).Status.Conditions {
		if c.Type == "NetworkUnavailable" {
			return string(c.Status), c.Reason
		}
	}
	return "", ""
}

func (w *world) awaitCondition(t *testing.T, name string) {
	t.Helper()
	w.awaitStatus(t, name, "False", "FlannelIsUp")
}

func (w *world) awaitStatus(t *testing.T, name, wantStatus, wantReason string) {
	t.Helper()
	for ctx := within(t); ctx.Err() == nil; {
		if status, reason := w.condition(t, name); status == wantStatus && reason == wantReason {
			return
		}
	}
	t.Errorf("the condition was not set to %s by %s", wantStatus, wantReason)
}

// A node whose pods cannot be reached any more says so, with the reason, until
// they can be.
func TestTheNodeSaysThatItCannotBeReached(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	s := w.openWith(t, kube.Options{Self: kube.Self{Node: w.node("a")}, SetNetworkUnavailable: true})
	w.write(t, wide)
	storetest.Hold(t, s, acquire(t, s, claim("192.0.2.1")), lease.Owner{})
	s.Serving(nil)
	w.awaitCondition(t, "a")
	s.Failed(errors.New("kernel: device flannel.1: address already in use"), time.Now().Add(-time.Minute))
	w.awaitStatus(t, "a", "True", "WeftIsDown")
	s.Serving(nil)
	w.awaitCondition(t, "a")
}
