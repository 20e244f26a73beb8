// Package explain goes with a packet from station to station of its way through this
// host: device, policy rule, route, firewall chains, neighbour, forwarding entry, tunnel,
// underlay. It ends at the first broken link, which it names with the remedy.
//
// It is pure: facts in, stations out. Package kernel gathers the facts, or they come from
// an archive that was made elsewhere.
package explain
