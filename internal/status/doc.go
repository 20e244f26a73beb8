// Package status keeps what status, events, health and metrics show: what the
// steps of package intent concluded, how the kernel has followed, how the store
// and the lease do. It decides nothing, and nothing waits for it.
package status
