package host

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// ErrNoFirewall says that the host's firewall can be neither read nor written,
// and that trying again will not help.
var ErrNoFirewall = errors.New("no firewall")

// Barrier is a chain of another firewall that stops packets. Which
// ones, its rules tell: see Stops.
type Barrier struct {
	Via     string // "nft", or "legacy": only the iptables-legacy program reaches it
	Family  string // of its table: "ip", "ip6", "inet" or "netdev"
	Table   string
	Chain   string
	Hook    string // "ingress", "prerouting", "input", "forward", "output", "postrouting" or "egress"
	Manager string // "iptables" or "firewalld", which allow rules of others; "": none, weft does not edit it
	Rules   []Rule // those that stop packets, in order, the policy last; in a chain without a Manager also those that accept some
}

// Compare orders by place.
func (b Barrier) Compare(o Barrier) int {
	return cmp.Or(strings.Compare(b.Via, o.Via), strings.Compare(b.Family, o.Family),
		strings.Compare(b.Table, o.Table), strings.Compare(b.Chain, o.Chain))
}

// policyChains begin the names of chains of Kubernetes' and of its network
// policies': kube-proxy, kube-router and the kubelet; Calico.
var policyChains = []string{"KUBE-", "cali-"}

// IsPolicy reports whether a chain of iptables decides on containers' packets
// on purpose, so that no rule may come before it.
func IsPolicy(chain string) bool {
	return slices.ContainsFunc(policyChains, func(prefix string) bool { return strings.HasPrefix(chain, prefix) })
}

// Handles reports whether packets of the family ("ip" or "ip6") come by b.
func (b Barrier) Handles(family string) bool {
	return b.Family == family || b.Family == "inet" || b.Family == "netdev"
}

// String names the chain as iptables and nft(8) do.
func (b Barrier) String() string {
	if b.Manager == "iptables" || b.Via == "legacy" {
		return map[string]string{"ip": "iptables", "ip6": "ip6tables"}[b.Family] + " -t " + b.Table + " chain " + b.Chain
	}
	return "nftables chain " + b.Family + " " + b.Table + " " + b.Chain
}
