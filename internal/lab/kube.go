package lab

import "path/filepath"

// Kubernetes is the cluster that the hosts are nodes of, as their agents find it.
type Kubernetes struct {
	Dir     string // has HOST.kubeconfig for each host
	NetConf string // path of the network config document
}

// UseKubernetes makes a cluster the store that every host's environment names, in which each host is
// the node of its own name. The caller runs the cluster.
func (l *Lab) UseKubernetes(k Kubernetes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kubernetes = k
}

// kubeEnv is the host's environment variables for the cluster.
func (l *Lab) kubeEnv(host string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kubernetes == (Kubernetes{}) {
		return nil
	}
	return []string{
		"WEFT_KUBE_SUBNET_MGR=true",
		"WEFT_KUBECONFIG_FILE=" + filepath.Join(l.kubernetes.Dir, host+".kubeconfig"),
		"WEFT_NET_CONFIG_PATH=" + l.kubernetes.NetConf,
		"NODE_NAME=" + host,
	}
}
