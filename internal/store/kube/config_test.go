package kube_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/kube"
	"github.com/weft-net/weft/internal/store/storetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mount lays out a ConfigMap's file as a kubelet does: a link through a link
// to a directory, which is replaced by a rename.
func mount(t *testing.T, dir, version, doc string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(dir, version), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, version, "net-conf.json"), []byte(doc), 0o644))
	must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
	old, _ := os.Readlink(filepath.Join(dir, "..data"))
	must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	if old == "" {
		must(t, os.Symlink(filepath.Join("..data", "net-conf.json"), filepath.Join(dir, "net-conf.json")))
		return
	}
	must(t, os.RemoveAll(filepath.Join(dir, old)))
}

func config(doc string) func(store.Snapshot) bool {
	return func(s store.Snapshot) bool { return string(s.Config) == doc && len(s.Bad) == 0 }
}

func TestAMountedConfigMapIsFollowed(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "etc", "kube-flannel") // is not there yet
	s, err := kube.Open(t.Context(), kube.Options{Kubeconfig: w.Kubeconfig(), Prefix: w.prefix, ConfigFile: filepath.Join(dir, "net-conf.json")})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	follower := storetest.Follow(t, s)
	if first := follower.Next(t).Snapshot; first.Config != nil || len(first.Bad) != 1 || !strings.Contains(first.Bad[0].Err.Error(), "--net-config-path") {
		t.Errorf("without a file: %+v", first)
	}
	mount(t, dir, "..1", `{"Network":"10.1.0.0/16"}`)
	follower.Until(t, config(`{"Network":"10.1.0.0/16"}`))
	mount(t, dir, "..2", `{"Network":"10.2.0.0/16"}`)
	follower.Until(t, config(`{"Network":"10.2.0.0/16"}`))
	mount(t, dir, "..3", `{"Network":"10.3.0.0/16"}`)
	follower.Until(t, config(`{"Network":"10.3.0.0/16"}`))
	must(t, os.RemoveAll(dir))
	gone := follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 1 })
	if string(gone.Config) != `{"Network":"10.3.0.0/16"}` {
		t.Errorf("with the mount gone the config is %s", gone.Config)
	}
	mount(t, dir, "..4", `{"Network":"10.3.0.0/16"}`)
	follower.Until(t, config(`{"Network":"10.3.0.0/16"}`))
}

// A plain file that is written in place is not read before it is whole.
func TestAPlainFileIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.write(t, "first")
	follower := storetest.Follow(t, w.open(t, "a"))
	follower.Until(t, config("first"))
	f, err := os.OpenFile(w.config, os.O_WRONLY|os.O_TRUNC, 0)
	must(t, err)
	for range 3 {
		_, err = f.WriteString("part ")
		must(t, err)
	}
	must(t, f.Close())
	if next := follower.Next(t).Snapshot; string(next.Config) != "part part part " {
		t.Errorf("the next config is %q", next.Config)
	}
	must(t, os.Remove(w.config))
	follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 1 })
	must(t, os.WriteFile(w.config, []byte("new"), 0o600))
	follower.Until(t, config("new"))
}
