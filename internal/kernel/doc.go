// Package kernel is the edge to Linux: it reads the rows of package netstate
// from the kernel, writes them, and says when they change. It implements
// reconcile.Kernel and host.Source.
//
// It decides nothing: which rows a host should have is the planner's business,
// when to write them the reconciler's. It keeps no truth of its own; what it
// remembers between calls (ids of nexthop objects, the scope last observed) is
// found anew by every Observe.
//
// Message formats are those of the kernel's uapi headers: linux/rtnetlink.h
// (links, addresses, routes), linux/nexthop.h, linux/neighbour.h (neighbours
// and, with family AF_BRIDGE, forwarding entries), linux/if_link.h (vxlan) and
// linux/netconf.h.
package kernel
