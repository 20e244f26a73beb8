package flannel

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// run runs a plugin and returns what it printed. The plugin's own words on
// standard error are part of an error, and lost otherwise. The library's way
// to run plugins is not used: tracing, and with it net/http, would come along.
func run(ctx context.Context, path string, config []byte, env []string) (stdout []byte, err error) {
	var out, words bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(config), &out, &words
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%w: %s", err, strings.TrimSpace(words.String()))
	}
	return out.Bytes(), nil
}
