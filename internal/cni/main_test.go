package cni

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
)

// librarian has the test's program answer with the CNI project's own library.
const librarian = "WEFT_TEST_LIBRARIAN"

func TestMain(m *testing.M) {
	if os.Getenv(librarian) != "" {
		nothing := func(*skel.CmdArgs) error { return nil }
		skel.PluginMainFuncs(skel.CNIFuncs{Add: nothing, Del: nothing, Check: nothing, GC: nothing, Status: nothing}, version.All, "")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plugin does nothing, and says what it was asked.
type plugin struct {
	asked *[]Request
	err   error
}

func (p plugin) do(r Request) error { *p.asked = append(*p.asked, r); return p.err }

func (p plugin) Add(_ context.Context, r Request) (types.Result, error) {
	return &current.Result{CNIVersion: "1.1.0"}, p.do(r)
}
func (p plugin) Del(_ context.Context, r Request) error    { return p.do(r) }
func (p plugin) Check(_ context.Context, r Request) error  { return p.do(r) }
func (p plugin) Status(_ context.Context, r Request) error { return p.do(r) }
func (p plugin) GC(_ context.Context, r Request) error     { return p.do(r) }

// run is a call of a plugin of type test, in the words of env.
func run(t *testing.T, env map[string]string, stdin string, err error) (code int, out string, asked []Request) {
	t.Helper()
	var stdout bytes.Buffer
	p := Process{Env: func(k string) string { return env[k] }, Stdin: strings.NewReader(stdin), Stdout: &stdout}
	code = Main(t.Context(), p, map[string]Plugin{"test": plugin{&asked, err}})
	return code, stdout.String(), asked
}

func environment(command string, changes ...string) map[string]string {
	env := map[string]string{"CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0", "CNI_PATH": "/nowhere"}
	for _, c := range changes {
		k, v, _ := strings.Cut(c, "=")
		env[k] = v
	}
	return env
}

func config(version string) string {
	return fmt.Sprintf(`{"cniVersion": %q, "name": "pods", "type": "test", "cni.dev/valid-attachments": []}`, version)
}

// TestAgreesWithTheLibrary makes calls that are wrong in one way or none, and
// compares the answers' codes with those of the CNI project's library.
func TestAgreesWithTheLibrary(t *testing.T) {
	calls := map[string]struct {
		env   map[string]string
		stdin string
	}{
		"no container":        {environment("ADD", "CNI_CONTAINERID="), config("1.1.0")},
		"no interface":        {environment("DEL", "CNI_IFNAME="), config("1.1.0")},
		"no namespace":        {environment("ADD", "CNI_NETNS="), config("1.1.0")},
		"DEL needs none":      {environment("DEL", "CNI_NETNS="), config("1.1.0")},
		"no path":             {environment("STATUS", "CNI_PATH="), config("1.1.0")},
		"path in an id":       {environment("ADD", "CNI_CONTAINERID=../../etc"), config("1.1.0")},
		"dots for an id":      {environment("ADD", "CNI_CONTAINERID=.."), config("1.1.0")},
		"path in a device":    {environment("ADD", "CNI_IFNAME=a/b"), config("1.1.0")},
		"long device":         {environment("ADD", "CNI_IFNAME=0123456789abcdef"), config("1.1.0")},
		"dots for a device":   {environment("ADD", "CNI_IFNAME=.."), config("1.1.0")},
		"unknown command":     {environment("PLUG"), config("1.1.0")},
		"no config":           {environment("ADD"), ""},
		"not JSON":            {environment("ADD"), "{"},
		"no object":           {environment("ADD"), "[]"},
		"no name":             {environment("ADD"), `{"cniVersion": "1.1.0", "type": "test"}`},
		"path in a name":      {environment("ADD"), `{"cniVersion": "1.1.0", "type": "test", "name": "../x"}`},
		"unknown version":     {environment("ADD"), config("9.9.9")},
		"CHECK too early":     {environment("CHECK"), config("0.3.1")},
		"GC too early":        {environment("GC"), config("1.0.0")},
		"STATUS too early":    {environment("STATUS"), config("1.0.0")},
		"version":             {environment("VERSION"), ""},
		"the host's own":      {environment("ADD", "CNI_NETNS=/proc/self/ns/net"), config("1.1.0")},
		"the runtime insists": {environment("DEL", "CNI_NETNS=/proc/self/ns/net", "CNI_NETNS_OVERRIDE=true"), config("1.1.0")},
	}
	for _, command := range []string{"DEL", "CHECK", "GC", "STATUS"} {
		calls[command] = struct {
			env   map[string]string
			stdin string
		}{environment(command), config("1.1.0")}
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = []string{librarian + "=1"}
			for k, v := range call.env {
				cmd.Env = append(cmd.Env, k+"="+v)
			}
			cmd.Stdin = strings.NewReader(call.stdin)
			theirs, err := cmd.Output()
			if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
				t.Fatal(err)
			}
			exit, ours, _ := run(t, call.env, call.stdin, nil)
			if (err != nil) != (exit != 0) {
				t.Errorf("exit code %d, and the library's says %v", exit, err)
			}
			if codeOf(string(theirs)) != codeOf(ours) {
				t.Errorf("the answer is %s\nand the library's %s", ours, theirs)
			}
		})
	}
}

// codeOf is the code of an error that was printed, or -1.
func codeOf(out string) int {
	e := struct{ Code *int }{}
	if json.Unmarshal([]byte(out), &e) != nil || e.Code == nil {
		return -1
	}
	return *e.Code
}

func TestAskedForWhatTheRuntimeWants(t *testing.T) {
	for command, silent := range map[string]bool{"ADD": false, "DEL": true, "CHECK": true, "STATUS": true, "GC": true} {
		code, out, asked := run(t, environment(command), config("1.1.0"), nil)
		if code != 0 || len(asked) != 1 || asked[0].Command != command || asked[0].Network != "pods" || asked[0].Version != "1.1.0" {
			t.Errorf("%s: exit code %d, asked %+v", command, code, asked)
		}
		if (out == "") != silent {
			t.Errorf("%s printed %q", command, out)
		}
	}
}

// TestGCKnowsWhatIsValid: only a config that says nothing of it is refused.
func TestGCKnowsWhatIsValid(t *testing.T) {
	one := []types.GCAttachment{{ContainerID: "c1", IfName: "eth0"}}
	for text, tc := range map[string]struct {
		valid []types.GCAttachment
		code  int
	}{
		`, "cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]`: {one, -1},
		`, "cni.dev/attachments": [{"containerID": "c1", "ifname": "eth0"}]`:       {one, -1},
		`, "cni.dev/valid-attachments": []`:                                        {nil, -1},
		`, "cni.dev/valid-attachments": null`:                                      {nil, -1},
		`, "cni.dev/valid-attachments": 1`:                                         {nil, 6},
		``:                                                                         {nil, 7},
	} {
		_, out, asked := run(t, environment("GC"), `{"cniVersion": "1.1.0", "name": "pods", "type": "test"`+text+"}", nil)
		if codeOf(out) != tc.code || len(asked) == 1 && !slices.Equal(asked[0].Valid, tc.valid) {
			t.Errorf("%q: asked %+v, answered %s", text, asked, out)
		}
	}
}

func TestResultHasTheConfigsVersion(t *testing.T) {
	for _, v := range []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		_, out, _ := run(t, environment("ADD"), config(v), nil)
		var result struct{ CNIVersion string }
		if err := json.Unmarshal([]byte(out), &result); err != nil || result.CNIVersion != v {
			t.Errorf("%s: got %s, %v", v, out, err)
		}
	}
}

func TestErrorsAreTheRuntimes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		code int
		says string
	}{
		{errors.New("the cable is cut"), 999, "the cable is cut"},
		{types.NewError(types.ErrPluginNotAvailable, "no subnet", "look there"), 50, "look there"},
		{fmt.Errorf("again: %w", types.NewError(types.ErrTryAgainLater, "full", "")), 11, "full"},
	} {
		exit, out, _ := run(t, environment("DEL"), config("1.1.0"), tc.err)
		if exit != 1 || codeOf(out) != tc.code || !strings.Contains(out, tc.says) || !strings.Contains(out, `"cniVersion": "1.1.0"`) {
			t.Errorf("%v became exit code %d and %s", tc.err, exit, out)
		}
	}
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("x", maxID+1)
	for name, tc := range map[string]struct {
		env   map[string]string
		stdin string
		code  int
	}{
		"config": {environment("ADD"), `{"x": "` + strings.Repeat("x", maxConfig) + `"}`, 7},
		"id":     {environment("ADD", "CNI_CONTAINERID="+long), config("1.1.0"), 4},
		"device": {environment("ADD", "CNI_IFNAME=\x01"), config("1.1.0"), 4},
		"type":   {environment("ADD"), `{"cniVersion": "1.1.0", "name": "pods", "type": "nosuch"}`, 7},
	} {
		exit, out, asked := run(t, tc.env, tc.stdin, nil)
		if exit != 1 || codeOf(out) != tc.code || len(asked) > 0 {
			t.Errorf("%s: exit code %d and %s", name, exit, out)
		}
	}
}

// FuzzRead: whatever a runtime says, names that get through are safe in paths.
func FuzzRead(f *testing.F) {
	f.Add("ADD", "c1", "eth0", config("1.1.0"))
	f.Add("DEL", "../..", "..", `{"name": "a/b"}`)
	f.Fuzz(func(t *testing.T, command, id, ifName, stdin string) {
		env := environment(command, "CNI_CONTAINERID="+id, "CNI_IFNAME="+ifName)
		r, _, err := read(Process{Env: func(k string) string { return env[k] }, Stdin: strings.NewReader(stdin)}, command)
		if err != nil {
			if failure(err).Code == 0 {
				t.Errorf("an error without a code: %v", err)
			}
			return
		}
		for _, name := range []string{r.ContainerID, r.IfName, r.Network} {
			if strings.ContainsAny(name, "/:\x00\n") || name == "." || name == ".." || len(name) > 1<<20 {
				t.Errorf("%q got through", name)
			}
		}
	})
}
