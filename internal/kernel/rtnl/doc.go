// Package rtnl speaks netlink, in the dialects of routing and of the firewall:
// it opens sockets, packs many requests into
// one system call, reads dumps and notifications, and decodes errors with the
// kernel's extended text. It knows the form of messages and nothing of their
// meaning: which routes or neighbours to write is package kernel's business.
//
// The format is that of linux/netlink.h (RFC 3549 describes an early form of
// it). All numbers are in the byte order of the host unless said otherwise.
package rtnl
