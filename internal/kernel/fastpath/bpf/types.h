/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs and the agent share: maps, their values, and the constants that the agent sets. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NEXT (-1) /* TCX_NEXT: whoever else observes the hook runs, then the kernel's own path */

/* An address of either family; IPv4 is mapped into IPv6, ::ffff:a.b.c.d. */
union address {
	__u8 bytes[16];
	__be32 words[4];
};

enum mode {
	MODE_ALL = 1,         /* every flow that conntrack does not know */
	MODE_ESTABLISHED = 2, /* those that conntrack has seen in both directions */
};

enum kind {
	KIND_DIRECT = 1,
	KIND_VXLAN = 2,
};

/* Constants of one agent's network. Another value is another program. */
struct conf {
	__u32 mode;
	__u32 uplink;      /* ifindex */
	__be32 local;      /* IPv4 address of this end of the tunnel; 0: there is no tunnel */
	__be32 vni;        /* as it stands in the VXLAN header, shifted by 8 bits */
	__be16 port;       /* UDP */
	__u8 mac[ETH_ALEN]; /* of this end of the tunnel */
	__u8 code[8];       /* a hash of this object: programs of another version have another */
};
volatile const struct conf conf;

struct prefix {
	__u32 length; /* of the mapped address */
	union address address;
};

/* A remote subnet. */
struct remote {
	union address host; /* public address of its host */
	__u8 mac[ETH_ALEN]; /* of its end of the tunnel */
	__u16 mtu;          /* largest packet of a pod, IP header included */
	__u32 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, struct remote);
} remotes SEC(".maps");

/* A pod of this host behind a veth. */
struct pod {
	__u32 ifindex;          /* of the host's end */
	__u8 mac[ETH_ALEN];     /* of the pod's end */
	__u8 hostmac[ETH_ALEN]; /* of the host's end */
	__u32 mtu;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, union address);
	__type(value, struct pod);
} pods SEC(".maps");

/* A bridge of containers, by a subnet of this host that its addresses are in. */
struct bridge {
	__u32 ifindex;
	__u32 mtu;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, struct bridge);
} bridges SEC(".maps");

/* What became of packets between a pod of this host and a remote subnet. Twice: from pods, to pods. */
enum outcome {
	FAST,
	SLOW_NAT,         /* conntrack translates the flow */
	SLOW_TRACKED,     /* the flow began on the kernel's path */
	SLOW_POLICY,      /* conntrack has not seen the flow in both directions, and a policy stands ahead */
	SLOW_SIZE,        /* larger than the path or the pod takes */
	SLOW_FRAGMENT,
	SLOW_OPTIONS,     /* IPv4 options, IPv6 extension headers */
	SLOW_TTL,         /* would be 0 */
	SLOW_PROTOCOL,    /* neither TCP nor UDP */
	SLOW_SOURCE,      /* not from the pod or host that has the address */
	SLOW_DESTINATION, /* the kernel does not lead the pod's address to its device (any more) */
	SLOW_TUNNEL,      /* the outer headers need the kernel's care */
	SLOW_NEIGHBOUR,   /* nobody on the bridge is known to have the pod's address */
	SLOW_OTHER,
	OUTCOMES,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

enum direction { FROM_POD, TO_POD };

static __always_inline int done(enum direction dir, enum outcome what, int verdict)
{
	__u32 key = dir * OUTCOMES + what;
	__u64 *count = bpf_map_lookup_elem(&counts, &key);
	if (count)
		(*count)++;
	return verdict;
}

static __always_inline bool same_address(const union address *a, const union address *b)
{
	return a->words[0] == b->words[0] && a->words[1] == b->words[1] && a->words[2] == b->words[2] && a->words[3] == b->words[3];
}

static __always_inline bool same_mac(const __u8 *a, const volatile __u8 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] && a[5] == b[5];
}
