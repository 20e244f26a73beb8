/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Asks the kernel's connection tracking whether a flow may pass it by. */
#pragma once

#include "packet.h"

struct nf_conn {
	unsigned long status;
} __attribute__((preserve_access_index));

struct sk_buff {
	unsigned long _nfct; /* the flow, and in the lowest bits what the packet is to it */
} __attribute__((preserve_access_index));

#define NFCT_BITS 7

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym;

/* The part of it that all kernels with these functions take, by its size. */
struct bpf_ct_opts___weft {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple_size,
				  struct bpf_ct_opts___weft *opts, __u32 opts_size) __ksym;
void bpf_ct_release(struct nf_conn *conn) __ksym;

#define STATUS_SEEN_REPLY (1 << 1) /* of enum ip_conntrack_status in linux/netfilter/nf_conntrack_common.h */
#define STATUS_ASSURED (1 << 2)
#define STATUS_NAT (1 << 4 | 1 << 5) /* source, destination */

#define STATUS_CONFIRMED (1 << 3) /* all that can be found have it */

/* Returns the status of the flow that has the packet's addresses in this order, or the other; 0: there is none. */
static __always_inline unsigned long status_of(struct __sk_buff *skb, const struct packet *p, bool reply)
{
	struct bpf_ct_opts___weft opts = {.netns_id = -1, .l4proto = p->protocol}; /* BPF_F_CURRENT_NETNS */
	struct bpf_sock_tuple tuple = {};
	const union address *src = reply ? &p->dst : &p->src, *dst = reply ? &p->src : &p->dst;
	__be16 sport = reply ? p->dport : p->sport, dport = reply ? p->sport : p->dport;
	struct nf_conn *conn;
	unsigned long status = 0;

	if (p->v6) {
		__builtin_memcpy(tuple.ipv6.saddr, src, sizeof(*src));
		__builtin_memcpy(tuple.ipv6.daddr, dst, sizeof(*dst));
		tuple.ipv6.sport = sport;
		tuple.ipv6.dport = dport;
		conn = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv6), &opts, sizeof(opts));
	} else {
		tuple.ipv4.saddr = src->words[3];
		tuple.ipv4.daddr = dst->words[3];
		tuple.ipv4.sport = sport;
		tuple.ipv4.dport = dport;
		conn = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
	}
	if (conn) {
		status = BPF_CORE_READ(conn, status) | STATUS_CONFIRMED;
		bpf_ct_release(conn);
	}
	return status;
}

/* Returns the status of the flow that the packet itself is known to be of; 0: of none. On its way through a bridge with
 * br_netfilter a flow may have been translated that nobody can find, since it counts only once it was sent on. */
static __always_inline unsigned long own_status(struct __sk_buff *skb)
{
	struct sk_buff *kernels = bpf_cast_to_kern_ctx(skb);
	struct nf_conn *conn = (void *)(kernels->_nfct & ~(unsigned long)NFCT_BITS);

	return conn ? BPF_CORE_READ(conn, status) : 0;
}

/* FAST: nothing that goes by connections has a say about the packet. A translated connection has one tuple in each
 * direction that is not the other's reverse, so both are looked for. */
static __always_inline enum outcome ask_conntrack(struct __sk_buff *skb, const struct packet *p)
{
	unsigned long status = status_of(skb, p, false), reverse = status_of(skb, p, true);
	if ((status | reverse | own_status(skb)) & STATUS_NAT)
		return SLOW_NAT;
	/* What the kernel has begun to track it tracks to the end: of TCP packets that it did not see it would take the
	 * next for invalid. Of a flow that it never saw it takes any packet for the first. */
	if (conf.mode == MODE_ALL)
		return status | reverse ? SLOW_TRACKED : FAST;
	unsigned long both = STATUS_SEEN_REPLY | STATUS_ASSURED;
	return (status & both) == both ? FAST : SLOW_POLICY;
}
