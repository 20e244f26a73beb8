// Package flannel is the CNI plugin type flannel: it reads the host's subnet
// from subnet.env and has another plugin, bridge unless the config says
// otherwise, put the container there. It makes no network objects itself.
package flannel
