// Package ebpf holds no code, only the test that the eBPF objects in the tree
// are what their sources compile to.
package ebpf
