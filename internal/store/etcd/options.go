package etcd

import (
	"errors"
	"log/slog"
	"path"
	"time"
)

// Defaults of Options.
const (
	DefaultPrefix         = "/coreos.com/network" // flannel's
	DefaultDialTimeout    = 5 * time.Second
	DefaultRequestTimeout = 5 * time.Second
)

// Options say where the store is and how to prove who asks. The zero value of
// every field but Endpoints is usable.
type Options struct {
	// Endpoints are URLs (http, https, unix, unixs) or host:port; all of them
	// with TLS or all without. A host without a port gets 2379.
	Endpoints []string
	// Prefix of all keys; default DefaultPrefix.
	Prefix string

	// CAFile holds the PEM certificates that may sign the server's; without
	// it those of the system count. CertFile and KeyFile authenticate this
	// host, and are given together or not at all. All three are read again
	// for every new connection, so that they can be replaced under a running
	// agent.
	CAFile, CertFile, KeyFile string

	// Username and Password log in to etcd; together or not at all.
	Username, Password string

	// Exclusive says that no other host can use this etcd: an agent that is
	// recorded there has ended, and need not be asked.
	Exclusive bool

	// FailFast gives calls up as soon as every endpoint refuses connections.
	FailFast bool

	DialTimeout    time.Duration // for one connection, with its TLS handshake and login
	RequestTimeout time.Duration // for one call, with its retries
	Log            *slog.Logger  // default: nothing is logged
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	o.Prefix = path.Clean(o.Prefix)
	if o.DialTimeout <= 0 {
		o.DialTimeout = DefaultDialTimeout
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// usesTLSFiles tells whether any file for TLS was given.
func (o Options) usesTLSFiles() bool {
	return o.CAFile != "" || o.CertFile != "" || o.KeyFile != ""
}

func (o Options) check() error {
	switch {
	case len(o.Endpoints) == 0:
		return errors.New("etcd: no endpoint is given; set --etcd-endpoints, for example https://10.0.0.1:2379")
	case o.Username == "" && o.Password != "":
		return errors.New("etcd: a password without a user name; set --etcd-username")
	case o.Username != "" && o.Password == "":
		return errors.New("etcd: a user name without a password; set --etcd-password")
	}
	return nil
}
