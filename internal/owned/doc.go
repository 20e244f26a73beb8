// Package owned holds every rule by which an agent knows, after a restart and
// without any memory, which objects of a host are its own.
//
// It is pure: it looks at names and numbers and never at the host. What an
// object is like is package netstate's business, and which objects a host should have is
// the planner's.
package owned
