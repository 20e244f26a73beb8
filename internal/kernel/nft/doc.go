// Package nft is the part of package kernel that speaks to nftables: it reads
// and writes the firewall rows of package netstate, finds what of other
// people's firewall can stop packets, and says when any of it changes.
//
// It decides nothing, and of other people's tables it touches rules that carry
// our comment and what flanneld left, nothing else.
//
// Message formats are those of linux/netfilter/nf_tables.h and nfnetlink.h;
// numbers are in network byte order.
package nft
