// Package kube is the store on Kubernetes, flannel's --kube-subnet-mgr: a
// host's lease is what its Node object says, the subnets in spec.podCIDRs and
// the rest in annotations; the config document is a file, mounted from a
// ConfigMap. Nobody chooses subnets here, the controller manager has done that.
//
// It asks for Nodes as Kubernetes' own protobuf and takes out of each the few
// fields that matter, so that neither their size nor their heartbeats cost an
// agent anything. It must not know what a lease's data means to a backend, nor
// write anything but flannel's annotations, the NetworkUnavailable condition
// and Events of its own node.
package kube
