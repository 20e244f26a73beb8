// Package lab builds whole networks on one machine: hosts on Ethernet segments, a router between
// them, pods on the hosts, and the faults of real networks. Every host is a network
// namespace, so real agents, real stores and real packets run in it, without root.
//
// It must be used in a process that netns.Enter or netns.Main found to be inside. It sets up an
// agent's environment and observes what the agent does; it never does the agent's work.
package lab
