// Package ptp is the CNI plugin type weft: each container gets a point-to-point
// veth, routes on both sides and addresses of the host's subnets, without a
// bridge and without another program. Only STATUS asks the agent; the other
// calls read subnet.env.
//
// A call may be killed at any point: addresses are recorded before the link is
// created and released after it is removed, so that no interface ever has an
// address that is not on record.
package ptp
