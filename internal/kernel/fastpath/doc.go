// Package fastpath carries packets between pods of this host and of others
// past the kernel's routing and firewall, by eBPF programs (bpf/), where that
// changes nothing but speed.
//
// It loads and attaches what the desired state asks for and finds it again
// after a restart; which pods, peers and devices those are is the planner's
// business. It must not take a packet that the kernel's own path would treat
// otherwise: what a program is not sure of it leaves to that path.
package fastpath

//go:generate bpf/build
