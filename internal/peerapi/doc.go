// Package peerapi lets the agents of a network ask each other how they are: a
// read-only HTTP server on this host's address in the overlay, and its client.
// The server answers hosts of the network alone, a few at a time, and only if the
// network's config has a port for it. It must not change anything, and must
// not answer for a host that does not answer itself.
package peerapi
