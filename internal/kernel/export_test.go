package kernel

// WithoutNexthops makes k behave as on a kernel before 5.3, which has no
// nexthop objects.
func (k *Kernel) WithoutNexthops() *Kernel {
	k.hops.missing = true
	return k
}

// WithoutWireGuard makes k behave as on a kernel without WireGuard.
func (k *Kernel) WithoutWireGuard() *Kernel {
	k.wg.UserSpace = true
	return k
}
