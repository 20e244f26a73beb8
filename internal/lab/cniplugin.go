package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// pluginsOn runs plugins on a host, as libcni.RawExec does here.
type pluginsOn struct {
	host *Host
	version.PluginDecoder
}

// FindInPath implements invoke.Exec.
func (*pluginsOn) FindInPath(plugin string, dirs []string) (string, error) {
	return invoke.FindInPath(plugin, dirs)
}

// ExecPlugin implements invoke.Exec.
func (p *pluginsOn) ExecPlugin(ctx context.Context, path string, config []byte, env []string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := p.host.Command(ctx, path)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(config), &stdout, &stderr
	err := p.host.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err == nil {
		return stdout.Bytes(), nil
	}
	answer := new(types.Error)
	if json.Unmarshal(stdout.Bytes(), answer) == nil && answer.Msg != "" {
		return nil, answer
	}
	return nil, fmt.Errorf("%s: %w: %s%s", filepath.Base(path), err, stdout.String(), stderr.String())
}

// writePlugins makes a directory with the CNI plugins that weft is, and returns it ahead of others.
func (l *Lab) writePlugins(others string) ([]string, error) {
	dir := filepath.Join(l.dir, "cni-plugins")
	err := os.MkdirAll(dir, 0o755)
	script := "#!/bin/sh\nexec " + quote(l.binary) + "\n"
	for _, name := range []string{"flannel", "weft"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("write the CNI plugins: %w", err)
	}
	return slices.DeleteFunc([]string{dir, others}, func(d string) bool { return d == "" }), nil
}

// quote makes one word of s for sh.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
