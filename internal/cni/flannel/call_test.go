package flannel_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/netns"
)

// call is one call of a plugin, as runtimes make them.
type call struct {
	command, id, ifName, netns string
	path                       string // CNI_PATH, "": where all plugins are
}

// running is a call that has not ended.
type running struct {
	call
	cmd        *exec.Cmd
	out, words bytes.Buffer
}

// start begins the call on the host.
func (c call) start(t *testing.T, h *lab.Host, config string) *running {
	t.Helper()
	if c.path == "" {
		c.path = pluginDir
	}
	var kind struct{ Type string }
	check(t, json.Unmarshal([]byte(config), &kind))
	program := filepath.Join(pluginDir, kind.Type)
	if kind.Type == "flannel" {
		var err error
		program, err = os.Executable()
		check(t, err)
	}
	r := &running{call: c, cmd: h.Command(t.Context(), program)}
	r.cmd.Env = append(r.cmd.Env, "CNI_COMMAND="+c.command, "CNI_CONTAINERID="+c.id, "CNI_IFNAME="+c.ifName, "CNI_NETNS="+c.netns, "CNI_PATH="+c.path)
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = strings.NewReader(config), &r.out, &r.words
	check(t, h.StartCommand(r.cmd))
	return r
}

// end returns what the plugin printed, to standard error as well, or its error.
func (r *running) end(t *testing.T) (out, words string, failure *types.Error) {
	t.Helper()
	err := r.cmd.Wait()
	if err == nil {
		return r.out.String(), r.words.String(), nil
	}
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		t.Fatal(err)
	}
	failure = new(types.Error)
	if err := json.Unmarshal(r.out.Bytes(), failure); err != nil {
		t.Fatalf("%s failed and printed no error of the spec's: %s%s", r.command, &r.out, &r.words)
	}
	return "", r.words.String(), failure
}

// on makes the call on the host, and returns what the plugin printed, or its error.
func (c call) on(t *testing.T, h *lab.Host, config string) (string, *types.Error) {
	t.Helper()
	out, _, err := c.start(t, h, config).end(t)
	return out, err
}

// must is on for calls that have to succeed.
func (c call) must(t *testing.T, h *lab.Host, config string) string {
	t.Helper()
	out, err := c.on(t, h, config)
	if err != nil {
		t.Fatalf("%s of %s: %v", c.command, c.id, err)
	}
	return out
}

// fails is on for calls that have to fail, with a code, and words in the error.
func (c call) fails(t *testing.T, h *lab.Host, config string, code uint, words ...string) {
	t.Helper()
	out, err := c.on(t, h, config)
	if err == nil {
		t.Fatalf("%s of %s succeeded: %s", c.command, c.id, out)
	}
	c.isError(t, err, code, words...)
}

// isError fails the test unless the call's error has a code and words.
func (c call) isError(t *testing.T, err *types.Error, code uint, words ...string) {
	t.Helper()
	for _, w := range words {
		if err.Code != code || !strings.Contains(err.Error(), w) {
			t.Errorf("%s failed with code %d, %v; want code %d and %q", c.command, err.Code, err, code, w)
		}
	}
}

// container is the network namespace of a container that has nothing yet.
func container(t *testing.T) string {
	t.Helper()
	ns, err := netns.New("container")
	check(t, err)
	t.Cleanup(func() { check(t, ns.Close()) })
	return ns.Path()
}

// files lists the names in a folder, none if there is none; the lock and the
// last address of host-local do not count.
func files(t *testing.T, dir ...string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir...))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "lock" && !strings.HasPrefix(e.Name(), "last_reserved_ip") {
			names = append(names, e.Name())
		}
	}
	return names
}

// without returns a JSON object less one key.
func without(t *testing.T, text []byte, key string) []byte {
	t.Helper()
	var object map[string]json.RawMessage
	check(t, json.Unmarshal(text, &object))
	if object[key] == nil {
		t.Fatalf("there is no %s in %s", key, text)
	}
	delete(object, key)
	text, err := json.Marshal(object)
	check(t, err)
	return text
}

// limit is how long anything may take on a busy machine.
const limit = time.Minute

// output runs cmd on the host and returns what it printed, both streams together.
func output(h *lab.Host, cmd *exec.Cmd) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := h.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	return out.String(), err
}
