// Package agent connects the parts of a running agent: it brings what the
// store, the host, the lease holder and the reconcile loop say to the steps of
// package intent, and carries out what these ask for. It owns every goroutine
// of the agent. It decides nothing, plans nothing, and touches the kernel only
// through package reconcile.
package agent
