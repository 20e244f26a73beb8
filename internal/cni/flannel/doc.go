// Package flannel is the CNI plugin type flannel: it reads the host's subnet
// from subnet.env and has another plugin, the delegate, connect the container:
// bridge with host-local unless the config says otherwise. The delegate's
// config is recorded in a file for each container, in the format of flannel's
// own plugin, so that either plugin can delete containers of the other.
//
// It creates no network objects itself but for addresses of a bridge that the
// delegate has made, while containers of two subnets are on it. It must not need
// the agent for anything but STATUS.
package flannel
