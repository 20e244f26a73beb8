package kube_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/kube"
	"github.com/weft-net/weft/internal/store/kubetest"
	"github.com/weft-net/weft/test/programs"
)

// cluster is one control plane for all tests that do not break it; each has
// annotations and node names of its own.
var cluster *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

// previous selects the API server that the tests run against: make test-kubernetes-full asks for the older one.
var previous = flag.Bool("previous", false, "use an API server of two minor versions ago")

// apiServer is its path; "" is the present one.
var apiServer string

func run(m *testing.M) int {
	flag.Parse()
	if *previous {
		dir, err := programs.KubePrevious.Dir(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		apiServer = filepath.Join(dir, "kube-apiserver")
	}
	dir, err := os.MkdirTemp("", "weft-kube-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if cluster, err = kubetest.Start(context.Background(), kubetest.Options{Dir: dir, APIServer: apiServer}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := errors.Join(cluster.Close(), goleak.Find()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var worlds atomic.Int64

// world is a network of its own on the cluster, or on another one.
type world struct {
	*kubetest.Cluster
	prefix string // of annotations, and of the names of nodes
	config string // path of the network config
}

func newWorld(t *testing.T) *world {
	return &world{Cluster: cluster, prefix: fmt.Sprintf("t%d.example.com", worlds.Add(1)), config: filepath.Join(t.TempDir(), "net-conf.json")}
}

// node is the name of a node of this world.
func (w *world) node(name string) string { return name + "." + w.prefix }

// open opens a store for a host of this world and closes it with the test.
func (w *world) open(t *testing.T, name string) *kube.Store {
	t.Helper()
	return w.openWith(t, kube.Options{Self: kube.Self{Node: w.node(name)}})
}

func (w *world) openWith(t *testing.T, o kube.Options) *kube.Store {
	t.Helper()
	s := w.connect(t, o)
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t *testing.T, s *kube.Store) {
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// connect opens a store that the caller closes.
func (w *world) connect(t *testing.T, o kube.Options) *kube.Store {
	t.Helper()
	if o.Kubeconfig == "" {
		o.Kubeconfig = w.Kubeconfig()
	}
	o.Prefix, o.ConfigFile = w.prefix, w.config
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := kube.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// add makes a node, removed with the test.
func (w *world) add(t *testing.T, name string, cidrs ...string) {
	t.Helper()
	if _, err := w.AddNode(t.Context(), w.node(name), prefixes(cidrs...)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.Client.CoreV1().Nodes().Delete(context.Background(), w.node(name), metav1.DeleteOptions{})
	})
}

func (w *world) remove(t *testing.T, name string) {
	t.Helper()
	if err := w.Client.CoreV1().Nodes().Delete(t.Context(), w.node(name), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) get(t *testing.T, name string) *corev1.Node {
	t.Helper()
	n, err := w.Client.CoreV1().Nodes().Get(t.Context(), w.node(name), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// patch changes a node as kubectl or another program may.
func (w *world) patch(t *testing.T, name, doc string, sub ...string) {
	t.Helper()
	_, err := w.Client.CoreV1().Nodes().Patch(t.Context(), w.node(name), types.StrategicMergePatchType, []byte(doc), metav1.PatchOptions{}, sub...)
	if err != nil {
		t.Fatal(err)
	}
}

// annotate sets annotations of this world's prefix; "" removes one.
func (w *world) annotate(t *testing.T, name string, set map[string]string) {
	t.Helper()
	doc := ""
	for key, value := range set {
		text := "null"
		if value != "" {
			text = fmt.Sprintf("%q", value)
		}
		doc += fmt.Sprintf(",%q:%s", w.prefix+"/"+key, text)
	}
	w.patch(t, name, `{"metadata":{"annotations":{`+doc[1:]+`}}}`)
}

// write stores the network config, by a rename.
func (w *world) write(t *testing.T, doc string) {
	t.Helper()
	if err := os.WriteFile(w.config+".new", []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(w.config+".new", w.config); err != nil {
		t.Fatal(err)
	}
}

var _ store.Store = (*kube.Store)(nil)
