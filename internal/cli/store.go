package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"k8s.io/klog/v2"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/embedded"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/kube"
)

// Kinds of store, as in api.StoreState.
const (
	kindEtcd     = "etcd"
	kindEmbedded = "embedded"
	kindKube     = "kubernetes"
)

// embeddedDir is where a state directory holds the embedded store.
func embeddedDir(stateDir string) string { return filepath.Join(stateDir, "store") }

// etcdOptions are the settings as etcd's options.
func (s *storeSettings) etcdOptions(log *slog.Logger) etcd.Options {
	return etcd.Options{
		Endpoints: s.endpoints, Prefix: s.prefix,
		CAFile: s.caFile, CertFile: s.certFile, KeyFile: s.keyFile,
		Username: s.username, Password: s.password,
		Log: log,
	}
}

// openAgentStore opens the agent's store, and records its address in the run
// directory, for the commands on this host.
func openAgentStore(ctx context.Context, s *settings, log *slog.Logger) (*agentStore, error) {
	switch {
	case s.subnetMgr:
		st, err := openKube(ctx, s.storeSettings, kube.DefaultRequestTimeout, log)
		if err != nil {
			return nil, err
		}
		log.Info("store", event.Attr, string(event.Store), "kubernetes", st.URL(), "config", s.netConfigPath)
		return withRecord(st, kindKube, s)
	case s.chosen:
		log.Info("store", event.Attr, string(event.Store), "etcd", s.endpoints, "prefix", s.prefix)
		st, err := etcd.Open(ctx, s.etcdOptions(log))
		if err != nil {
			return nil, err
		}
		return withRecord(st, kindEtcd, s)
	}
	log.Info("no --etcd-endpoints given: using an embedded etcd for this host only", event.Attr, string(event.Store),
		"directory", embeddedDir(s.stateDir))
	if isEtcd(ctx, localEtcdURL) {
		log.Warn("an etcd runs on this host, and is not used; to join the hosts that use it, start the agent with --etcd-endpoints", "etcd", localEtcdURL)
	}
	st, endpoints, err := openEmbedded(ctx, s.stateDir, s.prefix, log)
	if err != nil {
		return nil, err
	}
	if err := writeDefault(ctx, st, log); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	s.endpoints = endpoints
	return withRecord(st, kindEmbedded, s)
}

// writeDefault gives a store without a config the default one.
func writeDefault(ctx context.Context, st store.Store, log *slog.Logger) error {
	snap, err := st.Snapshot(ctx)
	if err != nil || snap.Config != nil {
		return err
	}
	err = st.SetConfig(ctx, netconf.Default(), snap.ConfigRevision)
	if err == nil || errors.Is(err, store.ErrConflict) { // another agent stored one at the same time
		log.Info("the store had no network config; stored the default one, change it with 'weft config edit'",
			"config", compactJSON(netconf.Default()))
		return nil
	}
	return err
}

// compactJSON is doc on one line.
func compactJSON(doc []byte) string {
	var out bytes.Buffer
	if json.Compact(&out, doc) != nil {
		return string(doc)
	}
	return out.String()
}

func withRecord(st store.Store, kind string, s *settings) (*agentStore, error) {
	if err := writeRecord(s.runDir, s.storeSettings); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &agentStore{Store: st, kind: kind}, nil
}

// agentStore is the store of an agent.
type agentStore struct {
	store.Store
	kind string
}

// serve tells the agent of its store, and the store of what it wants to know
// of the agent.
func (a *agentStore) serve(o *agent.Options) {
	o.Store, o.StoreKind = a.Store, a.kind
	cluster, ok := a.Store.(*kube.Store)
	if !ok { // hosts register themselves
		o.Grace = agent.DefaultGrace
		return
	}
	o.Assigned = true
	o.Trouble, o.Requests = cluster.Trouble, cluster.Requests
	o.ConfigAdvice = "on Kubernetes it is the file that --net-config-path names, mounted from a ConfigMap"
	o.Reachable = cluster.Serving
}

// ownStore is a store together with the server under it.
type ownStore struct {
	store.Store
	server *embedded.Server
}

// Close ends the connection first, so that the server need not wait for it.
func (o *ownStore) Close() error { return errors.Join(o.Store.Close(), o.server.Close()) }

func openEmbedded(ctx context.Context, stateDir, prefix string, log *slog.Logger) (store.Store, []string, error) {
	// etcd's messages at info level are for operators of etcd.
	quiet := slog.New(minLevel{log.Handler(), slog.LevelWarn})
	server, err := embedded.Serve(ctx, embedded.ServerOptions{Dir: embeddedDir(stateDir), Log: quiet})
	if err != nil {
		return nil, nil, err
	}
	st, err := etcd.Open(ctx, etcd.Options{Endpoints: server.Endpoints(), Prefix: prefix, Log: log})
	if err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	return &ownStore{Store: st, server: server}, server.Endpoints(), nil
}

// minLevel passes on what is at least as important as min.
type minLevel struct {
	slog.Handler
	min slog.Level
}

func (m minLevel) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= m.min && m.Handler.Enabled(ctx, l)
}

func (m minLevel) WithAttrs(a []slog.Attr) slog.Handler {
	return minLevel{m.Handler.WithAttrs(a), m.min}
}
func (m minLevel) WithGroup(g string) slog.Handler { return minLevel{m.Handler.WithGroup(g), m.min} }

// open opens the store for a command that prints an answer and exits: the one that
// flags name, else that of the agent that runs here, else the embedded one
// under the state directory. Only create lets it create the latter.
func (x *access) open(ctx context.Context, create bool, log *slog.Logger) (store.Store, error) {
	if err := x.storeSettings.check(); err != nil {
		return nil, err
	}
	if x.subnetMgr || x.chosen {
		return x.openFor(ctx, x.storeSettings, log)
	}
	agent, err := running(ctx, x.runDir)
	if err != nil {
		return nil, err
	}
	if agent != nil {
		agent.Close()
		s, err := readRecord(x.runDir)
		if err != nil {
			return nil, err
		}
		return x.openFor(ctx, s, log)
	}
	dir := embeddedDir(x.stateDir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, &noStoreError{runDir: x.runDir, dir: dir}
	}
	st, _, err := openEmbedded(ctx, x.stateDir, x.prefix, log)
	return st, err
}

// noStoreError says that no store was named and none was found.
type noStoreError struct{ runDir, dir string }

func (e *noStoreError) Error() string {
	return fmt.Sprintf("no store found: no agent runs in %s, and %s does not exist", e.runDir, e.dir)
}

func (e *noStoreError) Hint() string {
	return "name an etcd with --etcd-endpoints, or Kubernetes with --kube-subnet-mgr, or start the agent with 'weft up'"
}

// openKube opens the store on Kubernetes. What client-go logs goes to log, and
// that is warnings at most: the store itself logs what matters.
func openKube(ctx context.Context, s storeSettings, timeout time.Duration, log *slog.Logger) (*kube.Store, error) {
	klog.SetSlogLogger(slog.New(minLevel{log.Handler(), slog.LevelWarn}))
	return kube.Open(ctx, kube.Options{
		Kubeconfig: s.kubeconfig, APIURL: s.apiURL,
		Prefix: s.annotationPrefix, ConfigFile: s.netConfigPath,
		Self: s.self, SetNetworkUnavailable: s.setUnavailable,
		RequestTimeout: timeout, Log: log,
	})
}

// openFor opens the store that s names.
func (x *access) openFor(ctx context.Context, s storeSettings, log *slog.Logger) (store.Store, error) {
	if s.subnetMgr {
		return openKube(ctx, s, x.timeout, log)
	}
	o := s.etcdOptions(log)
	o.RequestTimeout, o.FailFast = x.timeout, true
	return etcd.Open(ctx, o)
}
