// Package install copies weft's CNI plugin and its config into the directories
// of a container runtime, and removes what it installed, and nothing else.
//
// A file that is replaced is kept beside the new one and restored by uninstall.
// A record in the state directory has the checksums of the files that weft
// wrote, by which it recognizes files that others changed later.
//
// It runs no plugin, and must not access the network, the kernel or the store.
package install
