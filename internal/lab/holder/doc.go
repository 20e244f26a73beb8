// Package holder keeps a lab alive between commands. An unprivileged process cannot enter another's
// user namespace, so one process holds the lab's namespaces and runs programs in them for others,
// who ask over a unix socket and lend their terminal.
//
// Only the user who started the lab can reach the socket. The package knows nothing of what runs
// in the lab.
package holder
