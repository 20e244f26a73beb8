// Package cni implements the Container Network Interface up to version 1.1
// (https://www.cni.dev/docs/spec/): it reads a runtime's call from the
// environment and standard input, validates it, calls the plugin of the
// config's type, and prints the answer.
//
// It does not know what a plugin does. Each call is a process of its own, so
// neither this package nor those below it may import packages that are slow to
// initialize: no store, no agent, no metrics.
package cni
