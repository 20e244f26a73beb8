// Package ptp is the CNI plugin type weft: each container gets a point-to-point
// veth, routes on both sides and addresses out of the host's subnets, without
// a bridge and without another program. The agent is asked for in STATUS
// alone; what the others need of it stands in subnet.env.
//
// The package keeps an order that lets it be killed at any point: addresses
// are recorded before the link is made and forgotten after it is removed, so
// that nothing ever has an address that is not on record.
package ptp
