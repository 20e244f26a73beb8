package lab

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
)

// etcdPort is where the lab's stores listen for clients.
const etcdPort = 2379

// EtcdProgram chooses what StartEtcd runs.
type EtcdProgram string

// The two kinds of etcd.
const (
	EtcdBuiltIn  EtcdProgram = ""     // the one in the weft binary
	EtcdExternal EtcdProgram = "etcd" // the program of that name in $PATH
	EtcdV2       EtcdProgram = "v2"   // the same, with its v2 store
)

// EtcdTLS are the files (PEM) of an etcd with TLS that requires client certificates.
type EtcdTLS struct{ Cert, Key, CA string }

// StartEtcd runs a real etcd on the host and waits until it serves; one that ran there before left
// its data. From then on every host's environment names it as the store.
func (h *Host) StartEtcd(ctx context.Context, program EtcdProgram) (*Process, error) {
	switch program {
	case EtcdExternal:
		return h.startEtcd(ctx, "http", externalEtcd)
	case EtcdV2:
		return h.startEtcd(ctx, "http", func(dir, url string) []string {
			return append(externalEtcd(dir, url), "--enable-v2=true")
		})
	}
	return h.startEtcd(ctx, "http", func(dir, url string) []string {
		return []string{"weft", "lab", "etcd", "--dir", dir, "--listen", strings.TrimPrefix(url, "http://")}
	})
}

// StartEtcdTLS does the same with the program etcd, which then takes clients over TLS only.
func (h *Host) StartEtcdTLS(ctx context.Context, files EtcdTLS) (*Process, error) {
	return h.startEtcd(ctx, "https", func(dir, url string) []string {
		return append(externalEtcd(dir, url), files.flags()...)
	})
}

func (t EtcdTLS) flags() []string {
	return []string{"--cert-file", t.Cert, "--key-file", t.Key, "--trusted-ca-file", t.CA, "--client-cert-auth"}
}

// externalEtcd is the command line of the program etcd.
func externalEtcd(dir, url string) []string {
	return []string{string(EtcdExternal), "--data-dir", dir, "--logger", "zap", "--log-level", "warn",
		"--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", "http://127.0.0.1:2380"}
}

func (h *Host) startEtcd(ctx context.Context, scheme string, args func(dir, url string) []string) (*Process, error) {
	if len(h.Addrs) == 0 {
		return nil, fmt.Errorf("%s: a host without an address cannot serve a store", h.Name)
	}
	url := scheme + "://" + netip.AddrPortFrom(h.Addrs[0].Addr(), etcdPort).String()
	process, err := h.startReady(ctx, "etcd", args(filepath.Join(h.dir, "etcd"), url))
	if err != nil {
		return nil, err
	}
	h.lab.setEndpoints(url)
	return process, nil
}

func (l *Lab) setEndpoints(urls string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endpoints = urls
}

// Endpoints are the store's client URLs, with commas between, "" before StartEtcd.
func (l *Lab) Endpoints() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endpoints
}
