// Package kubetest gives tests a real Kubernetes control plane: an etcd, the
// kube-apiserver and, where PodCIDRs are wanted, the kube-controller-manager
// with its node-ipam controller. Nodes are only
// objects, unless Options.Nodes names hosts on which the caller runs kubelets:
// then all controllers and the scheduler run.
//
// It is for tests alone. It serves on loopback, or inside a namespace that
// the caller made, and stops only what it started.
package kubetest
