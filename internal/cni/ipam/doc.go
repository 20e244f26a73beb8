// Package ipam allocates addresses of the host's subnets to containers and
// records them on disk. It does not look at the state of interfaces: it releases
// what it is asked to release.
//
// One attachment is one symbolic link, named after the container's interface;
// its target is the network and the addresses:
//
//	/var/lib/cni/weft/6f1c…-…/4e9d…:eth0 -> cbr0 10.5.1.7 fd05:0:0:1::7
//
// Creating one is a single atomic system call, content and both families
// included, so that a process that is killed leaves nothing incomplete. The
// directory is named after the boot of the host. No container survives a
// reboot, so records of an earlier boot, also those that never reached the disk,
// have no meaning; the first call after a boot removes them.
//
// The lock file beside these directories serializes calls.
package ipam
