package install

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const list = `{"name": "cbr0", "cniVersion": "1.0.0", "plugins": [{"type": "flannel"}, {"type": "portmap"}]}`

// node is a host with a plugin and a config to install.
type node struct {
	*testing.T
	Dirs
	plugin string
	config *Config
}

func newNode(t *testing.T) node {
	dir := t.TempDir()
	n := node{t, Dirs{dir + "/bin", dir + "/net.d", dir + "/state"}, dir + "/weft-cni", nil}
	n.write(n.plugin, "plugin 1")
	n.write(dir+"/cni-conf.json", list)
	var err error
	if n.config, err = ReadConfig(dir+"/cni-conf.json", DefaultConfigName); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n node) write(path, text string) {
	n.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		n.Fatal(err)
	}
}

// files lists what there is in the directories: path below the node's own and content, the record
// and programs of weft's aside.
func (n node) files() map[string]string {
	n.Helper()
	root := filepath.Dir(n.Bin)
	all := map[string]string{}
	for _, dir := range []string{n.Bin, n.Conf, n.State} {
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			n.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			text, err := os.ReadFile(path)
			if err != nil {
				n.Fatal(err)
			}
			short, _ := filepath.Rel(root, path)
			if short == "state/cni.json" {
				text = nil
			}
			all[short] = string(text)
		}
	}
	return all
}

// steps shortens what was done to lines without directories.
func (n node) steps(steps []Step, err error) string {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, strings.ReplaceAll(s.String(), filepath.Dir(n.Bin)+"/", ""))
	}
	return strings.Join(lines, "\n")
}

func (n node) expect(files map[string]string, did, wantDid string) {
	n.Helper()
	if diff := cmp.Diff(files, n.files()); diff != "" {
		n.Errorf("files, - wanted, + there:\n%s", diff)
	}
	if diff := cmp.Diff(wantDid, did); diff != "" {
		n.Errorf("steps, - wanted, + done:\n%s", diff)
	}
}

// installed is what Install leaves on an empty host.
func installed(plugin string) map[string]string {
	return map[string]string{
		"bin/weft": plugin, "bin/flannel": plugin, "net.d/10-flannel.conflist": list, "state/cni.json": "",
	}
}

func TestInstallOnAnEmptyHost(t *testing.T) {
	n := newNode(t)
	n.expect(installed("plugin 1"), n.steps(n.Install(n.plugin, n.config)),
		"installed bin/weft\ninstalled bin/flannel\ninstalled net.d/10-flannel.conflist")
	for path, want := range map[string]os.FileMode{n.Bin + "/weft": 0o755, n.Conf + "/10-flannel.conflist": 0o644, n.State + "/cni.json": 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, want mode %v, error %v", path, info.Mode(), want, err)
		}
	}
	n.expect(installed("plugin 1"), n.steps(n.Install(n.plugin, n.config)),
		"bin/weft is up to date\nbin/flannel is up to date\nnet.d/10-flannel.conflist is up to date")
	n.expect(map[string]string{}, n.steps(n.Uninstall()),
		"removed net.d/10-flannel.conflist\nremoved bin/flannel\nremoved bin/weft")
	n.expect(map[string]string{}, n.steps(n.Uninstall()), "")
}

func TestNewVersionTakesTheOldOnesPlace(t *testing.T) {
	n := newNode(t)
	n.steps(n.Install(n.plugin, n.config))
	n.write(n.plugin, "plugin 2")
	n.expect(installed("plugin 2"), n.steps(n.Install(n.plugin, n.config)),
		"installed bin/weft\ninstalled bin/flannel\nnet.d/10-flannel.conflist is up to date")
}

func TestWhatStoodThereComesBack(t *testing.T) {
	n := newNode(t)
	before := map[string]string{"bin/flannel": "flannel's", "bin/portmap": "another", "net.d/10-flannel.conflist": list}
	for path, text := range before {
		n.write(filepath.Join(filepath.Dir(n.Bin), path), text)
	}
	want := installed("plugin 1")
	want["bin/portmap"] = "another"
	want["bin/flannel.before-weft"], want["net.d/10-flannel.conflist.before-weft"] = "flannel's", list
	n.expect(want, n.steps(n.Install(n.plugin, n.config)), "installed bin/weft\n"+
		"kept the previous bin/flannel as bin/flannel.before-weft\ninstalled bin/flannel\n"+
		"kept the previous net.d/10-flannel.conflist as net.d/10-flannel.conflist.before-weft\ninstalled net.d/10-flannel.conflist")
	n.write(n.plugin, "plugin 2")
	n.steps(n.Install(n.plugin, n.config))
	n.expect(before, n.steps(n.Uninstall()),
		"restored the previous net.d/10-flannel.conflist\nrestored the previous bin/flannel\nremoved bin/weft")
}

func TestWhatOthersChangedSinceStays(t *testing.T) {
	n := newNode(t)
	n.write(n.Bin+"/flannel", "flannel's")
	if err := os.Chmod(n.Bin+"/flannel", 0o600); err != nil {
		t.Fatal(err)
	}
	n.steps(n.Install(n.plugin, n.config))
	if info, err := os.Stat(n.Bin + "/flannel"); err != nil || info.Mode() != 0o755 {
		t.Errorf("the plugin has the mode %v of the file before, error %v", info.Mode(), err)
	}
	n.write(n.Bin+"/flannel", "flannel's next")
	if err := os.Remove(n.Conf + "/10-flannel.conflist"); err != nil {
		t.Fatal(err)
	}
	n.expect(map[string]string{"bin/flannel": "flannel's next"}, n.steps(n.Uninstall()),
		"net.d/10-flannel.conflist was already removed\nleft bin/flannel, which was changed since weft installed it\nremoved bin/weft")
}

func TestTheLastFileOfOthersIsKept(t *testing.T) {
	n := newNode(t)
	n.write(n.Bin+"/flannel", "flannel's")
	n.steps(n.Install(n.plugin, n.config))
	n.write(n.Bin+"/flannel", "flannel's next")
	n.steps(n.Install(n.plugin, n.config))
	n.steps(n.Uninstall())
	n.expect(map[string]string{"bin/flannel": "flannel's next"}, "", "")
}

// TestRecordLost goes on from what is there: a program of weft's is known as
// such, and what is kept already is not replaced by a file of weft's.
func TestRecordLost(t *testing.T) {
	n := newNode(t)
	n.write(n.Conf+"/10-flannel.conflist", "flannel's")
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n.steps(n.Install(own, n.config))
	if err := os.RemoveAll(n.State); err != nil {
		t.Fatal(err)
	}
	did := n.steps(n.Install(n.plugin, n.config))
	want := installed("plugin 1")
	want["net.d/10-flannel.conflist.before-weft"] = "flannel's"
	n.expect(want, did, "installed bin/weft\ninstalled bin/flannel\ninstalled net.d/10-flannel.conflist")
}

// TestCrashWhileInstalling runs Install on every state in which a crash of it
// can leave a host with an older version.
func TestCrashWhileInstalling(t *testing.T) {
	for _, crash := range []struct{ name, program string }{{"before the program is replaced", "plugin 1"}, {"after it", "plugin 2"}} {
		t.Run(crash.name, func(t *testing.T) {
			n := newNode(t)
			n.steps(n.Install(n.plugin, n.config))
			r, err := readRecord(n.State)
			if err != nil {
				t.Fatal(err)
			}
			r.Files[0].Sums = append(r.Files[0].Sums, sum([]byte("plugin 2")))
			if err := r.save(); err != nil {
				t.Fatal(err)
			}
			n.write(n.Bin+"/weft", crash.program)
			n.write(n.plugin, "plugin 3")
			did := n.steps(n.Install(n.plugin, n.config))
			n.expect(installed("plugin 3"), did, "installed bin/weft\ninstalled bin/flannel\nnet.d/10-flannel.conflist is up to date")
		})
	}
}

// TestLinkIsReplacedItself holds that nothing is written through a link that
// others may have laid.
func TestLinkIsReplacedItself(t *testing.T) {
	n := newNode(t)
	elsewhere := filepath.Join(t.TempDir(), "flannel")
	n.write(elsewhere, "flannel's")
	n.write(n.Bin+"/portmap", "another")
	if err := os.Symlink(elsewhere, n.Bin+"/flannel"); err != nil {
		t.Fatal(err)
	}
	n.steps(n.Install(n.plugin, nil))
	if text, err := os.ReadFile(elsewhere); err != nil || string(text) != "flannel's" {
		t.Errorf("the link's target holds %q, error %v", text, err)
	}
	n.steps(n.Uninstall())
	if to, err := os.Readlink(n.Bin + "/flannel"); err != nil || to != elsewhere {
		t.Errorf("the link leads to %q, error %v", to, err)
	}
}

func TestDamagedRecordIsNotGuessedAt(t *testing.T) {
	n := newNode(t)
	for _, text := range []string{"{", `{"files":[{"path":"bin/weft"}]}`} {
		n.write(n.State+"/cni.json", text)
		if steps, err := n.Uninstall(); err == nil || len(steps) > 0 {
			t.Errorf("record %s: steps %v, error %v", text, steps, err)
		}
	}
}

func TestReadConfigRefuses(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		``:                                "end of JSON",
		`[]`:                              "cannot unmarshal",
		`{"name": "a"}`:                   `"plugins" is missing`,
		`{"plugins": [{"type": "weft"}]}`: `"name" is missing`,
		`{"name": "a", "plugins": [{"type": "weft"}, {}]}`:             "plugin 2 has no",
		`{"name": "a", "plugins": ["` + strings.Repeat("a", maxConfig): "bytes, more than",
	} {
		path := filepath.Join(dir, "conf")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadConfig(path, DefaultConfigName); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: error %v, want %q", text, err, want)
		}
	}
	for _, name := range []string{"", "10-weft.conf", "../10-weft.conflist", "a/b.conflist"} {
		if _, err := ReadConfig(filepath.Join(dir, "conf"), name); err == nil || !strings.Contains(err.Error(), "cannot name") {
			t.Errorf("name %q: error %v", name, err)
		}
	}
}

func TestMissingPrograms(t *testing.T) {
	n := newNode(t)
	for text, want := range map[string][]string{
		list: {"bridge", "flannel", "host-local", "portmap"},
		`{"name": "a", "plugins": [{"type": "flannel", "delegate": {"type": "macvlan"}, "ipam": {"type": "dhcp"}}]}`: {"dhcp", "flannel", "macvlan"},
		`{"name": "a", "plugins": [{"type": "weft"}, {"type": "weft"}]}`:                                             {"weft"},
	} {
		types, err := parseConfig([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Missing(&Config{types: types}); !slices.Equal(got, want) {
			t.Errorf("%s: %v are missing, want %v", text, got, want)
		}
	}
	n.steps(n.Install(n.plugin, n.config))
	n.write(n.Bin+"/bridge", "")
	if err := os.Mkdir(n.Bin+"/portmap", 0o755); err != nil {
		t.Fatal(err)
	}
	if got := n.Missing(n.config); !slices.Equal(got, []string{"host-local", "portmap"}) {
		t.Errorf("%v are missing", got)
	}
}
