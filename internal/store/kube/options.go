package kube

import (
	"log/slog"
	"time"
)

// Defaults of Options.
const (
	DefaultConfigFile     = "/etc/kube-flannel/net-conf.json" // flannel's
	DefaultRequestTimeout = 10 * time.Second
)

// Options say where the API server is, and which node this host is. The zero
// value of every field is enough for reading.
type Options struct {
	// Kubeconfig is a file. APIURL is the API server's address and overrides
	// the one in the file. Without both, it is the cluster in whose pod this
	// process runs, else what kubectl uses: $KUBECONFIG or ~/.kube/config.
	Kubeconfig, APIURL string

	Prefix     string // of annotations; default DefaultPrefix
	ConfigFile string // the network config document; default DefaultConfigFile
	Self       Self   // this host, for Acquire and Hold

	// SetNetworkUnavailable makes Hold set the node's condition
	// NetworkUnavailable to False after Serving was called.
	SetNetworkUnavailable bool

	RequestTimeout time.Duration // for one request; default DefaultRequestTimeout
	Log            *slog.Logger  // default: nothing is logged
}

// Self identifies this host's Node object: by its name, or by the pod in which
// this process runs.
type Self struct{ Node, Pod, Namespace string }

// SelfFrom reads the variables that flannel's manifest sets: NODE_NAME, or
// POD_NAME and POD_NAMESPACE.
func SelfFrom(env func(string) (string, bool)) Self {
	value := func(name string) string { v, _ := env(name); return v }
	return Self{Node: value("NODE_NAME"), Pod: value("POD_NAME"), Namespace: value("POD_NAMESPACE")}
}

// Known reports whether this is enough to find the Node object.
func (s Self) Known() bool { return s.Node != "" || s.Pod != "" && s.Namespace != "" }

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.ConfigFile == "" {
		o.ConfigFile = DefaultConfigFile
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
