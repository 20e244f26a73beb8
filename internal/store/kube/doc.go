// Package kube is the store on Kubernetes, flannel's --kube-subnet-mgr: a
// host's lease is read from its Node object, the subnets from spec.podCIDRs and
// the rest from annotations; the config document is a file, mounted from a
// ConfigMap. Hosts do not choose subnets: the controller manager assigns them.
//
// Nodes are read as Kubernetes' own protobuf, and only the few fields that
// matter are decoded, so that the size of nodes and their heartbeats cost an
// agent little. client-go's reflector decides when to list and when to watch.
// The package must not know what a lease's data means to a backend, nor
// write anything but flannel's annotations, the NetworkUnavailable condition
// and Events of its own node.
package kube
