package kernel

import "time"

// WithoutNexthops makes k behave as on a kernel before 5.3, which has no
// nexthop objects.
func (k *Kernel) WithoutNexthops() *Kernel {
	k.hops.missing = true
	return k
}

// SetPatience has k wait that long for the iptables-legacy program.
func (k *Kernel) SetPatience(d time.Duration) { k.legacy.aside.patience = d }
