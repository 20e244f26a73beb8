// Package install puts weft's CNI plugin and its config into the directories
// where a container runtime looks for them, and takes away again what it put
// there, and nothing else.
//
// What stood in a file's place before is kept beside it and comes back in the
// end. What weft wrote is told from what others wrote later by its checksum,
// which a record in the state directory holds.
//
// It runs no plugin, and must not reach for the network, the kernel or the store.
package install
