/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads a packet's headers. */
#pragma once

#include "types.h"

struct packet {
	union address src, dst;
	__be16 sport, dport;
	__u32 offset;  /* of the IP header */
	__u32 headers; /* length of the IP and transport headers */
	__u32 length;  /* of the packet, IP header included; of one that is sent on in segments the largest segment */
	__u8 protocol;
	__u8 ttl;
	__u8 tos;
	bool v6;
	bool options, fragment;
	bool congested; /* IPv4: its mark of congestion is to be set */
};

/* struct tcphdr without bit fields. */
struct tcp {
	__be16 source, dest;
	__be32 seq, ack;
	__u8 offset; /* of the data in words, shifted by 4 bits */
	__u8 flags;
	__be16 window, check, urgent;
};

static __always_inline void map4(union address *out, __be32 a)
{
	out->words[0] = 0;
	out->words[1] = 0;
	out->words[2] = bpf_htonl(0xffff);
	out->words[3] = a;
}

/* Makes n bytes readable directly. The caller reads data and data_end again. */
static __always_inline bool readable(struct __sk_buff *skb, __u32 n)
{
	if ((void *)(long)skb->data + n <= (void *)(long)skb->data_end)
		return true;
	return n <= skb->len && bpf_skb_pull_data(skb, n) == 0;
}

/* Reads the IP header at offset, of the EtherType proto. */
static __always_inline bool read_ip(struct __sk_buff *skb, struct packet *p, __u32 offset, __be16 proto)
{
	p->offset = offset;
	if (proto == bpf_htons(ETH_P_IP)) {
		if (!readable(skb, offset + sizeof(struct iphdr)))
			return false;
		struct iphdr *ip = (void *)(long)skb->data + offset;
		if ((void *)(ip + 1) > (void *)(long)skb->data_end || ip->version != 4 || ip->ihl < 5)
			return false;
		map4(&p->src, ip->saddr);
		map4(&p->dst, ip->daddr);
		p->protocol = ip->protocol;
		p->ttl = ip->ttl;
		p->tos = ip->tos;
		p->options = ip->ihl != 5;
		p->fragment = ip->frag_off & bpf_htons(0x3fff); /* more fragments, or an offset */
		p->headers = sizeof(struct iphdr);
		p->length = bpf_ntohs(ip->tot_len);
		p->v6 = false;
		return true;
	}
	if (proto == bpf_htons(ETH_P_IPV6)) {
		if (!readable(skb, offset + sizeof(struct ipv6hdr)))
			return false;
		struct ipv6hdr *ip = (void *)(long)skb->data + offset;
		if ((void *)(ip + 1) > (void *)(long)skb->data_end || ip->version != 6)
			return false;
		__builtin_memcpy(&p->src, &ip->saddr, sizeof(p->src));
		__builtin_memcpy(&p->dst, &ip->daddr, sizeof(p->dst));
		p->protocol = ip->nexthdr;
		p->ttl = ip->hop_limit;
		p->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
		p->options = p->protocol == IPPROTO_HOPOPTS || p->protocol == IPPROTO_ROUTING || p->protocol == IPPROTO_DSTOPTS;
		p->fragment = p->protocol == IPPROTO_FRAGMENT;
		p->headers = sizeof(struct ipv6hdr);
		p->length = bpf_ntohs(ip->payload_len) + sizeof(struct ipv6hdr);
		p->v6 = true;
		return true;
	}
	return false;
}

/* Reads the transport header, and with it how large the packet is. FAST: both are plain. */
static __always_inline enum outcome read_transport(struct __sk_buff *skb, struct packet *p)
{
	if (p->options)
		return SLOW_OPTIONS;
	if (p->fragment)
		return SLOW_FRAGMENT;
	if (p->ttl <= 1)
		return SLOW_TTL;
	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)
		return SLOW_PROTOCOL;
	/* The frame may be padded, but not cut off, nor larger than the header can say (BIG TCP). */
	__u32 length = skb->len - p->offset, at = p->offset + p->headers;
	if (p->length > length || p->length < p->headers + sizeof(struct udphdr) || length > 65535)
		return SLOW_OTHER;
	if (p->protocol == IPPROTO_UDP) {
		struct udphdr udp;
		if (bpf_skb_load_bytes(skb, at, &udp, sizeof(udp)))
			return SLOW_OTHER;
		p->sport = udp.source;
		p->dport = udp.dest;
		p->headers += sizeof(udp);
	} else {
		struct tcp tcp;
		if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)) || tcp.offset >> 4 < 5)
			return SLOW_OTHER;
		p->sport = tcp.source;
		p->dport = tcp.dest;
		p->headers += (tcp.offset >> 4) * 4;
	}
	if (p->length < p->headers)
		return SLOW_OTHER;
	if (skb->gso_size)
		p->length = p->headers + skb->gso_size;
	else if (p->length != length)
		return SLOW_OTHER; /* padded: the kernel trims it */
	return FAST;
}

/* Counts this host as a hop. */
static __always_inline void decrement_ttl(struct __sk_buff *skb, const struct packet *p)
{
	__u8 ttl = p->ttl - 1;
	if (p->v6) {
		/* A checksum over the whole packet that the device gave goes along. */
		bpf_skb_store_bytes(skb, p->offset + offsetof(struct ipv6hdr, hop_limit), &ttl, sizeof(ttl), BPF_F_RECOMPUTE_CSUM);
		return;
	}
	/* The header's own checksum changes by as much, so that one over the whole packet stays. */
	__be16 from = bpf_htons(p->ttl << 8 | p->protocol), to = bpf_htons(ttl << 8 | p->protocol);
	bpf_l3_csum_replace(skb, p->offset + offsetof(struct iphdr, check), from, to, sizeof(to));
	bpf_skb_store_bytes(skb, p->offset + offsetof(struct iphdr, ttl), &ttl, sizeof(ttl), 0);
}
