// Package check judges whether everything holds that a host of the network needs: clock,
// store, lease, uplink, kernel, objects, firewalls, MTU, addresses, containers, versions.
//
// It is pure: facts in, results out. Who gathers the facts decides what can be judged; what
// cannot is a result that says so.
package check
