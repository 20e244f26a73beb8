// Package kernel is the edge to Linux: it reads the rows of package netstate
// from the kernel, writes them, and says when they change. It implements
// reconcile.Kernel and host.Source.
//
// It decides nothing: which rows a host should have is the planner's business,
// when to write them the reconciler's. It keeps no truth of its own; what it
// remembers between calls (ids of nexthop objects, the scope last observed) is
// found anew by every Observe.
//
// Messages about devices, addresses, neighbours and routes are package codec's.
// What only this package speaks of has the formats of the kernel's uapi
// headers: linux/nexthop.h, linux/if_link.h (vxlan) and linux/netconf.h.
package kernel
