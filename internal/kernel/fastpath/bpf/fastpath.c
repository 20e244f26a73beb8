// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The fast path: packets between this host's pods and other hosts', past the kernel's routing and firewall. A program
 * takes a packet only if the kernel would certainly send the same packet on; whatever is not certain is NEXT. */

#include "bridge.h"
#include "conntrack.h"

char __license[] SEC("license") = "Dual BSD/GPL";

/* The packet from its outer IP header to the inner Ethernet header, as it is written in one go. */
struct outer {
	struct iphdr ip;
	struct udphdr udp;
	__be32 flags; /* VXLAN, RFC 7348 */
	__be32 vni;
	struct ethhdr eth;
} __attribute__((packed));

#define VXLAN_FLAGS bpf_htonl(1 << 27) /* the VNI is valid; nothing else */
#define ECN 3
#define ECN_CE 3
#define ECN_ECT0 2

/* Of the source ports that flows are told apart by: Linux' default range of local ports, as the kernel's device has. */
#define FIRST_PORT 32768
#define PORTS (60999 - 32768)

#define ENCAPSULATE (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP | \
		     BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH | BPF_F_ADJ_ROOM_NO_CSUM_RESET)

static __always_inline struct remote *find_remote(const union address *a)
{
	struct prefix key = {.length = 128, .address = *a};
	return bpf_map_lookup_elem(&remotes, &key);
}

/* Of an IPv4 header. */
static __always_inline __u16 checksum(const void *header)
{
	const __u16 *words = header;
	__u32 sum = 0;
#pragma unroll
	for (int i = 0; i < (int)sizeof(struct iphdr) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Writes the headers of the tunnel ahead of the packet, where there is room for them. hash tells the flow. */
static __always_inline bool encapsulate(struct __sk_buff *skb, const struct packet *p, const struct remote *to, __u32 hash)
{
	__u32 length = skb->len - ETH_HLEN - sizeof(struct outer);
	struct outer o = {};

	o.ip.version = 4;
	o.ip.ihl = 5;
	o.ip.tos = (p->tos & ECN) == ECN_CE ? ECN_ECT0 : p->tos & ECN; /* RFC 6040 */
	o.ip.tot_len = bpf_htons(sizeof(o) + length);
	o.ip.id = bpf_get_prandom_u32(); /* without DF: a smaller MTU on the way must not swallow it */
	o.ip.ttl = 64;
	o.ip.protocol = IPPROTO_UDP;
	o.ip.saddr = conf.local;
	o.ip.daddr = to->host.words[3];
	o.ip.check = checksum(&o);
	hash ^= hash << 16;
	o.udp.source = bpf_htons(FIRST_PORT + (__u16)(((__u64)hash * PORTS) >> 32));
	o.udp.dest = conf.port;
	o.udp.len = bpf_htons(sizeof(o) - sizeof(o.ip) + length);
	o.flags = VXLAN_FLAGS;
	o.vni = conf.vni;
	__builtin_memcpy(o.eth.h_dest, to->mac, ETH_ALEN);
#pragma unroll
	for (int i = 0; i < ETH_ALEN; i++)
		o.eth.h_source[i] = conf.mac[i];
	o.eth.h_proto = bpf_htons(ETH_P_IP);
	return bpf_skb_store_bytes(skb, ETH_HLEN, &o, sizeof(o), BPF_F_RECOMPUTE_CSUM) == 0;
}

/* Whether the tunnel takes the packet; else the path is direct. */
static __always_inline bool by_tunnel(const struct remote *to) { return to->kind == KIND_VXLAN; }

/* Whether the sender on this host has the address, and is where the kernel would look for it. */
static __always_inline enum outcome sent_by_pod(struct __sk_buff *skb, const struct packet *p)
{
	struct pod *from = bpf_map_lookup_elem(&pods, &p->src);

	if (from)
		return from->ifindex == skb->ifindex ? FAST : SLOW_SOURCE;
	return sent_by_bridge(skb, p);
}

/* Ingress of the host's end of a pod's veth, and of a bridge of containers. */
SEC("tcx/ingress")
int weft_pod(struct __sk_buff *skb)
{
	struct packet p = {};

	if (skb->vlan_present || skb->pkt_type != 0 /* PACKET_HOST */ || !read_ip(skb, &p, ETH_HLEN, skb->protocol))
		return NEXT;
	struct remote *to = find_remote(&p.dst);
	if (!to)
		return NEXT;
	enum outcome what = sent_by_pod(skb, &p);
	if (what != FAST)
		return done(FROM_POD, what, NEXT);
	what = read_transport(skb, &p);
	if (what != FAST)
		return done(FROM_POD, what, NEXT);
	if (p.length > to->mtu || by_tunnel(to) && skb->len - ETH_HLEN + sizeof(struct outer) > 65535)
		return done(FROM_POD, SLOW_SIZE, NEXT);
	if (by_tunnel(to) && (p.v6 || !conf.local))
		return done(FROM_POD, SLOW_TUNNEL, NEXT);
	what = ask_conntrack(skb, &p);
	if (what != FAST)
		return done(FROM_POD, what, NEXT);

	if (by_tunnel(to)) {
		__u32 hash = bpf_get_hash_recalc(skb); /* before the outer headers are part of it */
		/* The kernel refuses kinds of segments that it could not carry in a tunnel, and has changed nothing then. */
		if (bpf_skb_adjust_room(skb, sizeof(struct outer), BPF_ADJ_ROOM_MAC, ENCAPSULATE))
			return done(FROM_POD, SLOW_OTHER, NEXT);
		p.offset += sizeof(struct outer);
		if (!encapsulate(skb, &p, to, hash))
			return done(FROM_POD, SLOW_OTHER, TC_ACT_SHOT); /* half changed: no way back */
	}
	decrement_ttl(skb, &p);
	return done(FROM_POD, FAST, bpf_redirect_neigh(conf.uplink, NULL, 0, 0));
}

/* Reads what is in a frame of the tunnel, and from which host; false if the frame is not one for this end. state is
 * SLOW_TUNNEL if only the kernel can open it. */
static __always_inline bool open_tunnel(struct __sk_buff *skb, struct packet *p, union address *host, enum outcome *state)
{
	__u32 inner = ETH_HLEN + sizeof(struct outer);
	if (!readable(skb, inner))
		return false;
	struct outer *o = (void *)(long)skb->data + ETH_HLEN;
	if ((void *)(o + 1) > (void *)(long)skb->data_end)
		return false;
	if (o->flags != VXLAN_FLAGS || o->vni != conf.vni || !same_mac(o->eth.h_dest, conf.mac) || o->eth.h_proto != bpf_htons(ETH_P_IP))
		return false;
	__u32 length = skb->len - ETH_HLEN;
	bool congested = (o->ip.tos & ECN) == ECN_CE;
	*state = FAST;
	/* A checksum must be verified, unless the device has done that. */
	if (o->udp.check && bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY) < 0)
		*state = SLOW_TUNNEL;
	if (!skb->gso_size && (bpf_ntohs(o->ip.tot_len) != length || bpf_ntohs(o->udp.len) != length - sizeof(o->ip)))
		*state = SLOW_TUNNEL;
	map4(host, o->ip.saddr);
	if (!read_ip(skb, p, inner, bpf_htons(ETH_P_IP)))
		return false;
	if (congested && !(p->tos & ECN))
		*state = SLOW_TUNNEL; /* nobody would be told: the kernel drops it */
	p->congested = congested && (p->tos & ECN) != ECN_CE;
	return true;
}

/* Whether the kernel would send the packet to that pod now: an address may have gone to another pod meanwhile. */
static __always_inline enum outcome leads_to(struct __sk_buff *skb, const struct packet *p, const struct pod *to)
{
	struct bpf_fib_lookup fib = {.l4_protocol = p->protocol, .sport = p->sport, .dport = p->dport};

	if (route(skb, &fib, p, &p->src, &p->dst, p->length, SKIP_NEIGH) != BPF_FIB_LKUP_RET_SUCCESS || fib.ifindex != to->ifindex)
		return SLOW_DESTINATION;
	return FAST;
}

/* Addresses the packet to the pod, on its last hop. */
static __always_inline bool deliver(struct __sk_buff *skb, const struct packet *p, const __u8 *mac, const __u8 *hostmac)
{
	decrement_ttl(skb, p);
	if (p->congested) { /* on the way between the hosts; RFC 6040 */
		__u8 tos = p->tos | ECN_CE;
		bpf_l3_csum_replace(skb, p->offset + offsetof(struct iphdr, check), bpf_htons(p->tos), bpf_htons(tos), sizeof(__be16));
		bpf_skb_store_bytes(skb, p->offset + offsetof(struct iphdr, tos), &tos, sizeof(tos), 0);
	}
	return bpf_skb_store_bytes(skb, 0, mac, ETH_ALEN, 0) == 0 &&
	       bpf_skb_store_bytes(skb, ETH_ALEN, hostmac, ETH_ALEN, 0) == 0;
}

/* Ingress of the uplink. */
SEC("tcx/ingress")
int weft_uplink(struct __sk_buff *skb)
{
	struct packet p = {};
	union address host = {};
	bool tunnelled = false;
	enum outcome what = FAST;

	if (skb->vlan_present || skb->pkt_type != 0 || !read_ip(skb, &p, ETH_HLEN, skb->protocol))
		return NEXT;
	if (!p.v6 && p.dst.words[3] == conf.local && conf.local && p.protocol == IPPROTO_UDP) {
		if (p.options || p.fragment || !readable(skb, ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr)))
			return NEXT;
		struct udphdr *udp = (void *)(long)skb->data + ETH_HLEN + sizeof(struct iphdr);
		if ((void *)(udp + 1) > (void *)(long)skb->data_end || udp->dest != conf.port)
			return NEXT;
		if (!open_tunnel(skb, &p, &host, &what))
			return NEXT;
		tunnelled = true;
	}
	struct pod *to = bpf_map_lookup_elem(&pods, &p.dst);
	struct bridge *by = to ? NULL : find_bridge(&p.dst);
	if (!to && !by)
		return NEXT;
	if (what != FAST)
		return done(TO_POD, what, NEXT);
	struct remote *from = find_remote(&p.src);
	if (!from || tunnelled && !same_address(&from->host, &host) || !tunnelled && from->kind != KIND_DIRECT)
		return done(TO_POD, SLOW_SOURCE, NEXT);
	what = read_transport(skb, &p);
	if (what != FAST)
		return done(TO_POD, what, NEXT);
	if (p.length > (to ? to->mtu : by->mtu))
		return done(TO_POD, SLOW_SIZE, NEXT);
	/* The bridge takes what was in a tunnel for a tunnel's packet still, and would cut it into segments by itself. In
	 * mode all the flow then stays with the kernel; else parts of it would overtake others. */
	if (by && tunnelled && (skb->gso_size || conf.mode != MODE_ALL))
		return done(TO_POD, SLOW_TUNNEL, NEXT);
	struct bpf_fib_lookup fib = {};
	what = to ? leads_to(skb, &p, to) : leads_to_bridge(skb, &p, by, &fib);
	if (what != FAST)
		return done(TO_POD, what, NEXT);
	what = ask_conntrack(skb, &p);
	if (what != FAST)
		return done(TO_POD, what, NEXT);

	if (tunnelled) {
		if (bpf_skb_adjust_room(skb, -(__s32)sizeof(struct outer), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
			return done(TO_POD, SLOW_OTHER, NEXT);
		p.offset = ETH_HLEN;
	}
	if (!deliver(skb, &p, to ? to->mac : fib.dmac, to ? to->hostmac : fib.smac))
		return done(TO_POD, SLOW_OTHER, TC_ACT_SHOT);
	return done(TO_POD, FAST, to ? bpf_redirect_peer(to->ifindex, 0) : into_bridge(&p, by));
}
