// Package flannel is the CNI plugin type flannel: it reads the host's subnet
// from subnet.env and has another plugin, the delegate, put the container
// there: bridge with host-local unless the config says otherwise. What the
// delegate was told is kept in a file for each container, as flannel's own
// plugin keeps it, so that either can undo what the other did.
//
// It makes no network objects itself, and must not need the agent for anything
// but STATUS.
package flannel
