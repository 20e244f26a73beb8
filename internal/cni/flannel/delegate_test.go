package flannel_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/lab"
)

// standIn is a delegate that answers ADD with the words given, and its exit
// code. It notes in calls what it was called for.
func standIn(t *testing.T, answer string, code int) (dir, calls string) {
	t.Helper()
	dir = t.TempDir()
	calls = filepath.Join(dir, "calls")
	script := fmt.Sprintf(`#!/bin/sh
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_ARGS" >>%[1]s
cat >%[1]s.config
[ "$CNI_COMMAND" = ADD ] || exit 0
cat %[1]s.answer
echo some words >&2
exit %[2]d
`, calls, code)
	check(t, os.WriteFile(filepath.Join(dir, "stand-in"), []byte(script), 0o755))
	check(t, os.WriteFile(calls+".answer", []byte(answer), 0o644))
	return dir, calls
}

func TestDelegatesAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		exit   int
		code   uint   // 0: ADD succeeds
		says   string // in the answer or the error
		calls  string
	}{
		"a result":           {`{"cniVersion": "1.0.0", "ips": [{"address": "172.7.1.9/24"}]}`, 0, 0, `"172.7.1.9/24"`, "ADD"},
		"without a version":  {`{"ips": [{"address": "172.7.1.9/24"}]}`, 0, 0, `"1.1.0"`, "ADD"},
		"an older one":       {`{"cniVersion": "0.3.1", "ips": [{"version": "4", "address": "172.7.1.9/24"}]}`, 0, 0, `"1.1.0"`, "ADD"},
		"nothing":            {``, 0, types.ErrDecodingFailure, "the answer of the plugin stand-in to ADD is not a result", "ADD DEL"},
		"nonsense":           {`ok`, 0, types.ErrDecodingFailure, "not a result", "ADD DEL"},
		"null":               {`null`, 0, types.ErrDecodingFailure, "it is empty", "ADD DEL"},
		"of the future":      {`{"cniVersion": "99.0.0"}`, 0, types.ErrDecodingFailure, "99.0.0", "ADD DEL"},
		"its own error":      {`{"cniVersion": "1.1.0", "code": 11, "msg": "not yet", "details": "wait"}`, 1, types.ErrTryAgainLater, "delegated to the plugin stand-in: not yet; wait", "ADD DEL"},
		"words on its death": {``, 3, types.ErrInternal, "exit status 3: some words", "ADD DEL"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			dir, calls := standIn(t, tc.answer, tc.exit)
			c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t), path: dir}
			config := conf(h, `, "delegate": {"type": "stand-in", "secret": "x"}`)
			if tc.code == 0 {
				if out := c.must(t, h, config); !strings.Contains(out, tc.says) {
					t.Errorf("ADD answered %s, want %s", out, tc.says)
				}
			} else {
				c.fails(t, h, config, tc.code, tc.says)
			}
			called(t, calls, tc.calls)
			if recorded := len(files(t, records(h))) == 1; recorded != (tc.code == 0) {
				t.Errorf("there are the records %s", files(t, records(h)))
			}
			c.command = "DEL"
			c.must(t, h, config)
			left(t, h)
			isOfDelegate(t, calls+".config", h)
		})
	}
}

// called fails the test unless the stand-in was called for these commands.
func called(t *testing.T, path, commands string) {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	want := ""
	for command := range strings.FieldsSeq(commands) {
		want += command + " c1 eth0 \n"
	}
	if string(text) != want {
		t.Errorf("the delegate was called with:\n%swant:\n%s", text, want)
	}
}

// isOfDelegate fails the test unless the last config that the stand-in got has
// the user's keys, and none that only its record has.
func isOfDelegate(t *testing.T, path string, h *lab.Host) {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	var got map[string]any
	check(t, json.Unmarshal(text, &got))
	if got["secret"] != "x" || got["name"] != "lab" || got["weft/ifname"] != nil || got["dataDir"] != nil {
		t.Errorf("%s: the delegate was told %s", h.Name, text)
	}
}
