// Package ptp is the CNI plugin type weft: a point-to-point veth and routes
// for each container, with an address out of the host's subnets, and no other
// program. It must not need the agent for anything but STATUS.
package ptp
