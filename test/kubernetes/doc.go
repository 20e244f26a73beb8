// Package kubernetes has tests alone: weft on a real Kubernetes cluster in the
// lab. See README.md.
package kubernetes
