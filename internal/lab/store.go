package lab

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
)

// etcdPort is where the lab's stores listen for clients.
const etcdPort = 2379

// EtcdProgram chooses what StartEtcd runs.
type EtcdProgram string

// The two kinds of etcd.
const (
	EtcdBuiltIn  EtcdProgram = ""     // the one in the weft binary
	EtcdExternal EtcdProgram = "etcd" // the program of that name in $PATH
)

// StartEtcd runs a real etcd on the host and waits until it serves. From then on every host's
// environment names it as the store.
func (h *Host) StartEtcd(ctx context.Context, program EtcdProgram) (*Process, error) {
	if len(h.Addrs) == 0 {
		return nil, fmt.Errorf("%s: a host without an address cannot serve a store", h.Name)
	}
	listen := netip.AddrPortFrom(h.Addrs[0].Addr(), etcdPort)
	dir := filepath.Join(h.dir, "etcd")
	args := []string{"weft", "lab", "etcd", "--dir", dir, "--listen", listen.String()}
	if program != EtcdBuiltIn {
		url := "http://" + listen.String()
		args = []string{string(program), "--data-dir", dir, "--logger", "zap", "--log-level", "warn",
			"--listen-client-urls", url, "--advertise-client-urls", url,
			"--listen-peer-urls", "http://127.0.0.1:2380"}
	}
	process, err := h.startReady(ctx, "etcd", args)
	if err != nil {
		return nil, err
	}
	h.lab.mu.Lock()
	h.lab.endpoints = "http://" + listen.String()
	h.lab.mu.Unlock()
	return process, nil
}

// Endpoints are the store's client URLs, "" before StartEtcd.
func (l *Lab) Endpoints() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endpoints
}
