/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Pods behind a bridge: the kernel's routing and neighbour tables tell which there are. */
#pragma once

#include "packet.h"

#define SKIP_NEIGH (1U << 2) /* BPF_FIB_LOOKUP_SKIP_NEIGH, since 6.3 */

/* Asks the kernel where it sends a packet of that length from src to dst now. */
static __always_inline long route(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const struct packet *p, const union address *src,
				  const union address *dst, __u16 length, __u32 flags)
{
	fib->ifindex = skb->ifindex;
	fib->tot_len = length; /* else that of the whole frame counts */
	if (p->v6) {
		fib->family = 10; /* AF_INET6 */
		__builtin_memcpy(fib->ipv6_src, src, sizeof(fib->ipv6_src));
		__builtin_memcpy(fib->ipv6_dst, dst, sizeof(fib->ipv6_dst));
	} else {
		fib->family = 2; /* AF_INET */
		fib->tos = p->tos;
		fib->ipv4_src = src->words[3];
		fib->ipv4_dst = dst->words[3];
	}
	return bpf_fib_lookup(skb, fib, sizeof(*fib), flags);
}

static __always_inline struct bridge *find_bridge(const union address *a)
{
	struct prefix key = {.length = 128, .address = *a};
	return bpf_map_lookup_elem(&bridges, &key);
}

/* FAST: the kernel would look for the address a on the bridge itself, not behind a router, and knows its MAC. */
static __always_inline enum outcome on_bridge(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const struct packet *p,
					      const union address *other, const union address *a, __u16 length, __u32 bridge, enum outcome not)
{
	long found = route(skb, fib, p, other, a, length, 0);
	union address next;

	if (found == BPF_FIB_LKUP_RET_NO_NEIGH)
		return SLOW_NEIGHBOUR;
	if (found != BPF_FIB_LKUP_RET_SUCCESS || fib->ifindex != bridge)
		return not;
	if (p->v6)
		__builtin_memcpy(&next, fib->ipv6_dst, sizeof(next));
	else
		map4(&next, fib->ipv4_dst);
	return same_address(&next, a) && !(fib->dmac[0] & 1) ? FAST : not;
}

/* Whether the packet is from a pod on the bridge that it came in by. The bridge's own addresses are none, nor is that
 * of all: the kernel takes those for forged. */
static __always_inline enum outcome sent_by_bridge(struct __sk_buff *skb, const struct packet *p)
{
	struct bridge *from = find_bridge(&p->src);
	struct bpf_fib_lookup fib = {};
	__u8 mac[ETH_ALEN];

	if (!from || from->ifindex != skb->ifindex)
		return SLOW_SOURCE;
	enum outcome what = on_bridge(skb, &fib, p, &p->dst, &p->src, sizeof(struct iphdr), from->ifindex, SLOW_SOURCE);
	if (what != FAST)
		return what;
	if (bpf_skb_load_bytes(skb, ETH_ALEN, mac, sizeof(mac)) || !same_mac(mac, fib.dmac))
		return SLOW_SOURCE;
	return FAST;
}

static __always_inline enum outcome leads_to_bridge(struct __sk_buff *skb, const struct packet *p, const struct bridge *to, struct bpf_fib_lookup *fib)
{
	fib->l4_protocol = p->protocol;
	fib->sport = p->sport;
	fib->dport = p->dport;
	return on_bridge(skb, fib, p, &p->src, &p->dst, p->length, to->ifindex, SLOW_DESTINATION);
}

/* The neighbour is used as the kernel does, which keeps it alive, and what watches the bridge and its ports sees the
 * packet. The frame has the addresses already that it will have, for the sake of a checksum over all of it. */
static __always_inline long into_bridge(const struct packet *p, const struct bridge *to)
{
	struct bpf_redir_neigh next = {};

	if (p->v6) {
		next.nh_family = 10; /* AF_INET6 */
		__builtin_memcpy(next.ipv6_nh, &p->dst, sizeof(next.ipv6_nh));
	} else {
		next.nh_family = 2; /* AF_INET */
		next.ipv4_nh = p->dst.words[3];
	}
	return bpf_redirect_neigh(to->ifindex, &next, sizeof(next), 0);
}
