package docker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// settings are those of a host with the subnet 172.7.n.0/24.
func settings(n string) []Setting {
	return []Setting{{"bip", `"172.7.` + n + `.1/24"`}, {"mtu", "1450"}, {"ip-masq", "true"}}
}

var settingsDual = append(settings("21"), Setting{"ipv6", "true"}, Setting{"fixed-cidr-v6", `"fd00:7:0:21::/64"`})

// host is a directory with a daemon.json.
type host struct {
	*testing.T
	path string
}

func newHost(t *testing.T, text string) host {
	h := host{t, filepath.Join(t.TempDir(), "docker", "daemon.json")}
	if text != "" {
		if err := os.Mkdir(filepath.Dir(h.path), 0o755); err != nil {
			t.Fatal(err)
		}
		h.write(text)
	}
	return h
}

func (h host) write(text string) {
	h.Helper()
	if err := os.WriteFile(h.path, []byte(text), 0o640); err != nil {
		h.Fatal(err)
	}
}

// read returns the file's text, "none" without one.
func (h host) read() string {
	h.Helper()
	data, err := os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	if err != nil {
		h.Fatal(err)
	}
	return string(data)
}

func (h host) change(compute func(DaemonJSON) (Change, error)) Change {
	h.Helper()
	d, err := ReadDaemonJSON(h.path)
	if err != nil {
		h.Fatal(err)
	}
	c, err := compute(d)
	if err != nil {
		h.Fatal(err)
	}
	if err := c.Write(); err != nil {
		h.Fatal(err)
	}
	return c
}

func (h host) configure(want []Setting) Change {
	h.Helper()
	c := h.change(func(d DaemonJSON) (Change, error) { return d.Configure(want) })
	after := h.read()
	if again := h.change(func(d DaemonJSON) (Change, error) { return d.Configure(want) }); !again.Empty() || again.Diff() != "" || h.read() != after {
		h.Errorf("a second time it changed:\n%s", again.Diff())
	}
	return c
}

func (h host) unconfigure() Change {
	h.Helper()
	return h.change(DaemonJSON.Unconfigure)
}

// expect holds that the file says text, and that no record is left.
func (h host) expectUndone(text string) {
	h.Helper()
	if got := h.read(); got != text {
		h.Errorf("undone, the file is %q, want %q", got, text)
	}
	if _, err := os.Stat(h.path + recordSuffix); !errors.Is(err, fs.ErrNotExist) {
		h.Errorf("undone, there is still a record: %v", err)
	}
}

func TestUnconfigureGivesBackEveryByte(t *testing.T) {
	for _, text := range documents {
		h := newHost(t, text)
		h.configure(settings("21"))
		h.configure(settingsDual)
		h.configure(settings("22"))
		if got := h.read(); !strings.Contains(got, "172.7.22.1/24") || strings.Contains(got, "v6") {
			t.Errorf("%q became %q", text, got)
		}
		h.unconfigure()
		if text == "" {
			text = "none"
		}
		h.expectUndone(text)
	}
}

func TestUnconfigureRemovesTheDirectoryItMade(t *testing.T) {
	h := newHost(t, "")
	h.configure(settings("21"))
	if c := h.unconfigure(); !c.Removes() {
		t.Error("the file is to stay")
	}
	if _, err := os.Stat(filepath.Dir(h.path)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the directory is there:", err)
	}
}

func TestUnconfigureKeepsWhatOthersDidSince(t *testing.T) {
	for name, tc := range map[string]struct {
		before, old, new, want string
		changed                string
	}{
		"another key":   {`{"mtu": 1500, "debug": true}`, `"debug": true`, `"debug": false`, `{"mtu": 1500, "debug": false}`, ""},
		"our key":       {`{"debug": true}`, `1450`, `1400`, `{"debug": true, "mtu": 1400}`, "mtu"},
		"our key, gone": {`{"debug": true}`, `, "mtu": 1450`, ``, `{"debug": true}`, ""},
		"file of ours":  {``, `"mtu": 1450`, `"mtu":  1450`, `none`, ""},
		"file, ours":    {``, `"mtu": 1450`, `"debug": true`, "{\n  \"debug\": true\n}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, tc.before)
			h.configure(settings("21"))
			h.write(strings.Replace(h.read(), tc.old, tc.new, 1))
			c := h.unconfigure()
			if got := strings.Join(c.Changed, ","); got != tc.changed {
				t.Errorf("changed since: %q, want %q", got, tc.changed)
			}
			h.expectUndone(tc.want)
		})
	}
}

func TestUnconfigureTakesAMissingFile(t *testing.T) {
	h := newHost(t, `{"debug": true}`)
	h.configure(settings("21"))
	if err := os.Remove(h.path); err != nil {
		t.Fatal(err)
	}
	if c := h.unconfigure(); !c.Empty() || len(c.Changed) > 0 {
		t.Errorf("something is to change: %s", c.Diff())
	}
	h.expectUndone("none")
}

func TestWriteMayBeInterrupted(t *testing.T) {
	const text = `{"debug": true}`
	h := newHost(t, text)
	h.configure(settings("21"))
	h.write(text) // as if only the record had been written
	h.unconfigure()
	h.expectUndone(text)
	h.configure(settings("21"))
	h.write(text)
	h.configure(settings("22"))
	h.unconfigure()
	h.expectUndone(text)
}

func TestModeAndLinkStay(t *testing.T) {
	h := newHost(t, `{"debug": true}`)
	if err := os.Chmod(h.path, 0o606); err != nil { // no umask gives this
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(h.path, link); err != nil {
		t.Fatal(err)
	}
	real := h.path
	h.path = link
	h.configure(settings("21"))
	h.path = real
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o606 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if !strings.Contains(h.read(), "172.7.21.1/24") {
		t.Error("the link's target was not changed")
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
}

func TestConfigureRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"bip": "10.0.0.1/24"}`:               `"bip" is "10.0.0.1/24": somebody else set it, and this host's subnet requires "172.7.21.1/24"`,
		`{"bip": 5}`:                           `"bip" is 5`,
		`{"fixed-cidr-v6": "fd01::/64"}`:       `"fixed-cidr-v6" is "fd01::/64"`,
		`{"bridge": "br0"}`:                    `"bridge" is "br0"`,
		`{"fixed-cidr": "10.0.0.0/25"}`:        `"fixed-cidr" is "10.0.0.0/25"`,
		`{"fixed-cidr": "172.7.0.0/16"}`:       `"fixed-cidr" is "172.7.0.0/16"`,
		`{"mtu": 1, "mtu": 2}`:                 `"mtu" is 2: the key is there 2 times`,
		`{"debug": true,}`:                     `not JSON: line 1`,
		`[]`:                                   `not a JSON object`,
		`{"bip": "172.7.21.1/16"}`:             `"bip" is "172.7.21.1/16"`,
		"{\n\"bip\":\n{\"a\": [\"bip\"]}\n}\n": `"bip" is {"a": ["bip"]}`,
	} {
		h := newHost(t, text)
		d, err := ReadDaemonJSON(h.path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Configure(settingsDual)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), h.path) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
		if c, ok := errors.AsType[*ConflictError](err); ok && c.Hint() == "" {
			t.Errorf("%s: no hint", text)
		}
	}
}

func TestConfigureTakesWhatFits(t *testing.T) {
	for text, want := range map[string]string{
		`{"bip": "172.7.21.1/24", "mtu": 1450, "ip-masq": true}`: `{"bip": "172.7.21.1/24", "mtu": 1450, "ip-masq": true}`,
		`{"fixed-cidr": "172.7.21.0/25", "bridge": ""}`:          `{"fixed-cidr": "172.7.21.0/25", "bridge": "", "bip": "172.7.21.1/24", "mtu": 1450, "ip-masq": true}`,
		`{"mtu": 1500, "ip-masq": false}`:                        `{"mtu": 1450, "ip-masq": true, "bip": "172.7.21.1/24"}`,
	} {
		h := newHost(t, text)
		h.configure(settings("21"))
		if got := h.read(); got != want {
			t.Errorf("%s became\n%s", text, got)
		}
	}
}

func TestConfigureRefusesAnAddressChangedSince(t *testing.T) {
	h := newHost(t, `{}`)
	h.configure(settings("21"))
	h.write(strings.Replace(h.read(), "172.7.21.1", "172.7.99.1", 1))
	d, err := ReadDaemonJSON(h.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Configure(settings("21")); err == nil || !strings.Contains(err.Error(), "172.7.99.1") {
		t.Error("error", err)
	}
}

func TestReadRefusesWhatIsNoConfiguration(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadDaemonJSON(dir); err == nil {
		t.Error("a directory was taken")
	}
	big := filepath.Join(dir, "big.json")
	if err := os.WriteFile(big, make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadDaemonJSON(big); err == nil || !strings.Contains(err.Error(), big) {
		t.Error("error", err)
	}
	odd := filepath.Join(dir, "daemon.json")
	for _, text := range []string{"no JSON", `{"before": "["}`} {
		if err := os.WriteFile(odd+recordSuffix, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadDaemonJSON(odd); err == nil || !strings.Contains(err.Error(), recordSuffix) {
			t.Errorf("record %q: error %v", text, err)
		}
	}
}

func TestDiff(t *testing.T) {
	from := strings.Join(strings.Split("abcdefghijklmnop", ""), "\n") + "\n"
	to := strings.NewReplacer("b\n", "B\n", "n\n", "n\nN\n").Replace(from)
	got := diff("daemon.json", content{from, true}, content{to, true})
	want := "--- daemon.json\n+++ daemon.json\n a\n-b\n+B\n c\n d\n e\n l\n m\n n\n+N\n o\n p\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}
