// Package agent wires store, host, plan and kernel into the one loop that
// weft is. It owns all goroutines of a running agent; it plans nothing and
// touches the kernel only through package reconcile.
package agent
