package kernel

// WithoutNexthops makes k behave as on a kernel before 5.3, which has no
// nexthop objects.
func (k *Kernel) WithoutNexthops() *Kernel {
	k.hops.missing = true
	return k
}
