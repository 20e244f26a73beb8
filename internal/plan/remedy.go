package plan

import (
	"strings"

	"github.com/weft-net/weft/internal/lease"
)

// What an operator can do about a peer's lease. Every problem ends with a
// remedy.

// ifGone is the remedy for a lease that should not be there.
func ifGone(l *lease.Lease) string {
	return "if its host is gone, release it with: " + release(l) + " (Kubernetes: delete the node)"
}

// anew is the remedy for a lease that does not say what it should.
func anew(l *lease.Lease) string {
	return "restart its agent, which writes the lease anew; " + ifGone(l)
}

// setUpAnew is the remedy for a host that was copied from another.
func setUpAnew(l *lease.Lease) string {
	return "stop its agent, remove the tunnel device and the state directory of its host, release the lease with: " + release(l) + ", and start the agent again"
}

// release is the command that removes a lease.
func release(l *lease.Lease) string {
	key := lease.Key(l.Subnets)
	if strings.Contains(key, "&") {
		key = "'" + key + "'"
	}
	return "weft lease release " + key
}
