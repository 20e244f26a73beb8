// Package podlink makes, inspects and removes the link of a pod: a veth whose
// one end is the pod's interface, and routes on both sides, without a bridge.
//
// The host's end has no address of the network. Each side knows the other's
// MAC from the start, so that nobody has to ask for it; when a program changes
// the MAC in the pod, the pod says so:
//
//	host  route 10.5.1.7/32 dev weft3x… proto 118     neigh 10.5.1.7 → the pod's MAC
//	pod   route default via 169.254.1.1 dev eth0      neigh 169.254.1.1 → the host's MAC
//	host  route fd05:0:0:1::7/128 dev weft3x…         addr fe80::1/64
//	pod   route default via fe80::1 dev eth0
//
// The routes on the host carry a protocol number of their own, by which pods
// and their devices are known without any other memory. The package decides
// no address and keeps no state; an agent's rows are package kernel's.
package podlink
