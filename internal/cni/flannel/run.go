package flannel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/weft-net/weft/internal/backoff"
)

// busyTimeout bounds the wait for a program that is being replaced, and
// endTimeout the time that a plugin has to end when its call is cancelled.
const (
	busyTimeout = 10 * time.Second
	endTimeout  = 2 * time.Second
)

// run runs a plugin and returns what it printed. While the program is open for
// writing (ETXTBSY), because it is being replaced, it tries again. What the
// plugin writes to standard error is part of an error, and lost otherwise. The
// library's way to run plugins is not used: tracing, and with it net/http,
// would come along.
func run(ctx context.Context, path string, config []byte, env []string) (stdout []byte, err error) {
	busy, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	pause := backoff.Backoff{First: 5 * time.Millisecond, Most: 200 * time.Millisecond}
	for {
		stdout, err = runOnce(ctx, path, config, env)
		if !errors.Is(err, syscall.ETXTBSY) || pause.Wait(busy) != nil {
			return stdout, err
		}
	}
}

func runOnce(ctx context.Context, path string, config []byte, env []string) (stdout []byte, err error) {
	var out, words bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(config), &out, &words
	// A plugin starts programs itself (IPAM). They must end with it, or one
	// that waits for a lock would allocate an address after all is undone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = endTimeout
	err = cmd.Run()
	if err != nil && ctx.Err() != nil {
		return out.Bytes(), &cutShort{path, context.Cause(ctx)}
	}
	if err != nil {
		return out.Bytes(), fmt.Errorf("%w: %s", err, strings.TrimSpace(words.String()))
	}
	return out.Bytes(), nil
}

// cutShort says that a call ended while a plugin was running.
type cutShort struct {
	program string
	cause   error
}

func (e *cutShort) Error() string {
	return fmt.Sprintf("wait for the program %s: %v", e.program, e.cause)
}
func (e *cutShort) Unwrap() error { return e.cause }
