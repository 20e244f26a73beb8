// Package netconf reads the network config document: the overlay CIDRs, how
// they are cut into subnets, and the backend. It is pure: no store, no
// system, no clock.
package netconf
