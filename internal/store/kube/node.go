package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// node holds the fields of a Node object that matter.
type node struct {
	name        string
	uid         string // differs after a node was deleted and created again
	version     string // resourceVersion
	cidrs       string // spec.podCIDRs, with commas
	annotations annotations
	network     string // status of the condition NetworkUnavailable; "" if it has none
	internal    string // the addresses of type InternalIP, a blank after each
	listed      bool   // not a node, but the end of a list that comes as a watch
}

// facts are the fields of a node from which a lease or an assignment is read; a
// change of any other field, such as a heartbeat, changes no snapshot.
func (n node) facts() node {
	n.uid, n.version, n.network = "", "", ""
	return n
}

// joined reports whether an agent has announced the node.
func (n *node) joined() bool { return n.annotations[annManaged] == "true" }

// The annotations of a family.
var familyAnnotations = map[netconf.Family]struct{ data, public, overwrite, node annotation }{
	netconf.V4: {annData, annPublic, annOverwrite, annNode},
	netconf.V6: {annData6, annPublic6, annOverwrite6, annNode6},
}

// subnets returns the node's PodCIDRs, v4 first.
func (n *node) subnets() ([]netip.Prefix, error) {
	if n.cidrs == "" {
		return nil, nil
	}
	var out []netip.Prefix
	for text := range strings.SplitSeq(n.cidrs, ",") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("its PodCIDR %.60q is not a subnet", text)
		}
		out = append(out, p.Masked())
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		return int(netconf.FamilyOf(a.Addr())) - int(netconf.FamilyOf(b.Addr()))
	})
	if _, err := lease.ParseKey(lease.Key(out)); err != nil {
		return nil, fmt.Errorf("its PodCIDRs %.120q cannot be a lease: one subnet for each family at most, with room for hosts", n.cidrs)
	}
	return out, nil
}

// errNoSubnet is why a node has no lease until the controller manager has
// assigned a PodCIDR.
var errNoSubnet = errors.New("it has no PodCIDR")

// lease returns what an agent announced for the node: the subnets of the
// families for which it has a public address.
func (n *node) lease() (lease.Lease, error) {
	subnets, err := n.subnets()
	if err != nil {
		return lease.Lease{}, err
	}
	if len(subnets) == 0 {
		return lease.Lease{}, errNoSubnet
	}
	l := lease.Lease{}
	if l.Attrs, err = n.attrs(); err != nil {
		return lease.Lease{}, err
	}
	for _, p := range subnets {
		if _, ok := l.PublicAddr(netconf.FamilyOf(p.Addr())); ok {
			l.Subnets = append(l.Subnets, p)
		}
	}
	if len(l.Subnets) == 0 {
		return lease.Lease{}, fmt.Errorf("it announces no address of the family of its PodCIDR %s", lease.FormatSubnets(subnets))
	}
	return l, nil
}

// maxKey is the length of a public key, 32 bytes in base64.
const maxKey = 44

// key is the public key that the node's host has for WireGuard, "" if it does not say or what it
// says cannot be one.
func (n *node) key() string {
	if len(n.annotations[annKey]) > maxKey {
		return ""
	}
	return n.annotations[annKey]
}

// maxData is the length of the longest annotation, in bytes: many times what any
// backend writes. The decoder truncates longer ones to a byte more.
const maxData = 4096

// attrs reads what an agent announced, and fails if an agent would not write it.
func (n *node) attrs() (lease.Attrs, error) {
	a := lease.Attrs{Backend: n.annotations[annType]}
	for _, f := range netconf.Families {
		names := familyAnnotations[f]
		addr, ok, err := n.address(f, names.public)
		if err != nil {
			return lease.Attrs{}, err
		}
		if ok {
			a.Public = append(a.Public, addr)
		}
		data := strings.TrimSpace(n.annotations[names.data])
		if data == "" || data == "null" {
			continue
		}
		if len(data) > maxData || !json.Valid([]byte(data)) {
			return lease.Attrs{}, fmt.Errorf("its annotation %s %.80q is not JSON of up to %d bytes", annotationNames[names.data], data, maxData)
		}
		a.Data = a.Data.With(f, json.RawMessage(data))
	}
	// Apply the rules of all stores for what peers may announce.
	doc, err := lease.MarshalAttrs(a)
	if err != nil {
		return lease.Attrs{}, fmt.Errorf("its annotations: %w", err)
	}
	return lease.ParseAttrs(doc)
}

// address reads an address of family f out of an annotation. The unspecified
// address means none, as in flannel's leases.
func (n *node) address(f netconf.Family, from annotation) (netip.Addr, bool, error) {
	text := n.annotations[from]
	if text == "" {
		return netip.Addr{}, false, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() || netconf.FamilyOf(a) != f {
		return netip.Addr{}, false, fmt.Errorf("its annotation %s %.60q is not an %s address", annotationNames[from], text, f)
	}
	return a, !a.IsUnspecified(), nil
}

// written returns the annotations that announce a, with the operator's of n and the key
// that it has.
func (n *node) written(a lease.Attrs) (annotations, error) {
	out := n.annotations
	clear(out[:annotationsWritten])
	out[annKey] = n.annotations[annKey]
	out[annManaged], out[annType] = "true", a.Backend
	for _, addr := range a.Public {
		f := netconf.FamilyOf(addr)
		names := familyAnnotations[f]
		if over, ok, err := n.address(f, names.overwrite); err != nil {
			return annotations{}, err
		} else if ok {
			addr = over
		}
		out[names.public], out[names.data] = addr.String(), "null"
		if data := a.Data.Of(f); len(data) > 0 {
			out[names.data] = string(data)
		}
	}
	return out, nil
}

// assignment is what the node says of its host, without what cannot be read; the
// error of lease says why.
func (n node) assignment() *store.Assignment {
	a := &store.Assignment{}
	a.Subnets, _ = n.subnets()
	if n.joined() {
		a.Attrs, _ = n.attrs()
	}
	for _, f := range netconf.Families {
		if addr, ok, err := n.address(f, familyAnnotations[f].node); ok && err == nil {
			a.Uplink = append(a.Uplink, addr)
		}
	}
	for text := range strings.FieldsSeq(n.internal) {
		if addr, err := netip.ParseAddr(text); err == nil {
			a.Node = append(a.Node, addr)
		}
	}
	return a
}

// faults are the errors in n that an operator has to fix.
func (n *node) faults() error {
	var errs []error
	for _, f := range netconf.Families {
		for _, from := range []annotation{familyAnnotations[f].overwrite, familyAnnotations[f].node} {
			_, _, err := n.address(f, from)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
