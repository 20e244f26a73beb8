// Package ipam gives the containers of a host their addresses out of the
// host's subnets, and remembers on disk who has which. It knows nothing of
// networks' state: what it is asked to forget, it forgets.
//
// One attachment is one symbolic link, whose name is the container's and whose
// target is the addresses:
//
//	/var/lib/cni/weft/6f1c…-…/4e9d…:eth0 -> cbr0 10.5.1.7 fd05:0:0:1::7
//
// Making one is a single system call that either happens or does not, content
// and both families included, so that a process that is killed leaves nothing
// half done. The folder is named after the boot of the host. No container
// outlives that, so what an earlier boot left, also what never reached the
// disk, has no meaning; the first call after a boot removes it.
//
// Beside these folders is the file of the locks, by which calls wait for each other.
package ipam
