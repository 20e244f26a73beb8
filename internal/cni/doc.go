// Package cni speaks the Container Network Interface, version 1.1 and those
// before it (https://www.cni.dev/docs/spec/): it reads a runtime's call from
// environment and standard input, checks every byte of it, has the plugin of
// the config's type do it, and answers as the spec says.
//
// It knows nothing of what a plugin does. A call is a process of its own, so
// neither this package nor those below it may import what is slow to start:
// no store, no agent, no metrics.
package cni
