// Package netdump is a copy of all that the kernel knows about a host's network:
// devices, addresses, the routes of all tables, policy rules, neighbours,
// forwarding entries, firewall chains and parameters. It has forms for people and
// for programs, and answers how a packet would be routed.
//
// It is pure: package kernel fills it. It says nothing about what is weft's, which
// is package netstate's part.
package netdump
