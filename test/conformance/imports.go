// Package conformance names the package whose tests are Kubernetes' own.
package conformance

import _ "k8s.io/kubernetes/test/e2e"
