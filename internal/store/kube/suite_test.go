package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/kube"
	"github.com/weft-net/weft/internal/store/storetest"
)

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func TestConformance(t *testing.T) {
	storetest.RunAssigned(t, func(t *testing.T) storetest.Fixture {
		h := &hosts{world: newWorld(t), names: map[string]string{}, used: map[netip.Prefix]bool{}, stores: map[string]*kube.Store{}}
		t.Cleanup(func() { // after everything in the test that uses them
			for _, s := range h.stores {
				closeStore(t, s)
			}
		})
		return storetest.Fixture{
			Open:   func(t *testing.T) store.Store { return &host{Store: h.open(t, "reader"), t: t, hosts: h} },
			Put:    h.put,
			Remove: func(t *testing.T, key string) { h.remove(t, h.names[key]) },
		}
	})
}

// hosts are the nodes of a cluster, with what the controller manager does.
type hosts struct {
	*world
	mu    sync.Mutex
	names map[string]string // of nodes, by the key of their lease
	used  map[netip.Prefix]bool

	stores map[string]*kube.Store // by the name of the node
}

// store is the store of the host with this node.
func (h *hosts) store(t *testing.T, name string) *kube.Store {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stores[name] == nil {
		h.stores[name] = h.connect(t, kube.Options{Self: kube.Self{Node: h.node(name)}})
	}
	return h.stores[name]
}

// host is the store as the suite sees it: which host asks is in the claim,
// where on a real host it is in the environment.
type host struct {
	*kube.Store
	t     *testing.T
	hosts *hosts
}

func (h *host) Acquire(ctx context.Context, net netconf.Network, c lease.Claim) (lease.Lease, error) {
	if ctx.Err() == nil {
		h.hosts.join(h.t, net, c.Hostname)
	}
	return h.hosts.store(h.t, c.Hostname).Acquire(ctx, net, c)
}

func (h *host) Hold(ctx context.Context, l lease.Lease, o lease.Owner, margin time.Duration) error {
	return h.hosts.store(h.t, o.Hostname).Hold(ctx, l, o, margin)
}

// join makes the host's node, unless it is there, with PodCIDRs of net.
func (h *hosts) join(t *testing.T, net netconf.Network, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, have := range h.names {
		if have == name {
			return
		}
	}
	var subnets []netip.Prefix
	var texts []string
	for _, r := range net.Ranges {
		i := uint64(0)
		for h.used[r.At(i)] {
			i++
		}
		h.used[r.At(i)] = true
		subnets, texts = append(subnets, r.At(i)), append(texts, r.At(i).String())
	}
	h.add(t, name, texts...)
	h.names["subnets/"+lease.Key(subnets)] = name
}

// put writes what a key of flannel's would hold to the node that has the
// subnets.
func (h *hosts) put(t *testing.T, key, value string, _ time.Duration) {
	if key == "config" {
		h.write(t, value)
		return
	}
	h.mu.Lock()
	name := h.names[key]
	if name == "" {
		subnets, err := lease.ParseKey(strings.TrimPrefix(key, "subnets/"))
		if err != nil {
			t.Fatal(err)
		}
		name = fmt.Sprintf("other-%d", len(h.names))
		h.names[key], h.used[subnets[0]] = name, true
		h.add(t, name, subnets[0].String())
	}
	h.mu.Unlock()
	var attrs struct{ PublicIP, BackendType string }
	if err := json.Unmarshal([]byte(value), &attrs); err != nil {
		attrs.PublicIP = value
	}
	h.annotate(t, name, map[string]string{
		"kube-subnet-manager": "true", "public-ip": attrs.PublicIP, "backend-type": attrs.BackendType, "backend-data": "",
	})
}
