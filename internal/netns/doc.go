// Package netns gives a program network namespaces of its own, with and without root alike.
//
// It does two things. Main and Reexec put a whole process into fresh user, network and mount
// namespaces, so that what it does to the network can never touch the machine it runs on. NS is one
// further network namespace inside that process: one host, switch or pod of the lab.
//
// The package does not depend on weft's network state, the lab or the agent, and it never joins a
// namespace it did not make.
package netns
