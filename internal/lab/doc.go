// Package lab builds whole networks on one machine: hosts on Ethernet segments, a router between
// them, pods on the hosts, and the faults that befall real networks. Every host is a network
// namespace, so real agents, real stores and real packets run in it, without root.
//
// It must be used in a process that netns.Enter or netns.Main found to be inside. It sets up the
// world that an agent finds and watches what the agent does to it; it never does the agent's work.
package lab
