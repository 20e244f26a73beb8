// Package fastpath holds no code, only the test of the fast path with real agents, which
// needs real root: eBPF programs cannot be loaded in the user namespaces of the
// other end-to-end tests.
package fastpath
