package lab

import (
	"context"
	"os"
	"path/filepath"
)

// agentLog names the log of a host's agents.
const agentLog = "weft"

// StartAgent runs `weft up` with further flags on the host and waits until it reports that its plan is
// applied. Its log is weft.log in the host's directory, to which a later agent adds.
func (h *Host) StartAgent(ctx context.Context, flags ...string) (*Process, error) {
	return h.StartAgentEnv(ctx, nil, flags...)
}

// StartAgentEnv is StartAgent with more in the agent's environment, "KEY=value".
func (h *Host) StartAgentEnv(ctx context.Context, env []string, flags ...string) (*Process, error) {
	return h.startAgent(ctx, env, append([]string{"weft", "up"}, flags...))
}

// StartFlanneld is StartAgent for a weft named flanneld, which must be in $PATH and accepts
// flanneld's flags.
func (h *Host) StartFlanneld(ctx context.Context, flags ...string) (*Process, error) {
	return h.startAgent(ctx, nil, append([]string{"flanneld"}, flags...))
}

// StartFlanneldAlone is StartFlanneld on a host whose /var/lib and /run are its own, without any
// of weft's variables: what is not in flags has weft's default.
func (h *Host) StartFlanneldAlone(ctx context.Context, flags ...string) (*Process, error) {
	args, err := h.Alone(append([]string{"flanneld"}, flags...)...)
	if err != nil {
		return nil, err
	}
	return h.startAgent(ctx, nil, args)
}

// Alone returns the command line that runs a program with the host's own /var/lib and /run, in
// which all programs that run so share their files, and without weft's variables.
func (h *Host) Alone(args ...string) ([]string, error) {
	for _, dir := range []string{"lib", "run"} {
		if err := os.MkdirAll(filepath.Join(h.dir, dir), 0o755); err != nil {
			return nil, err
		}
	}
	return append([]string{"unshare", "--mount", "sh", "-ec", alone, h.dir}, args...), nil
}

// alone is the script of Alone. Its mounts hide the lab's directory if that is below /run.
const alone = `for v in STATE_DIR RUN_DIR LOCK_DIR SUBNET_FILE ETCD_ENDPOINTS DAEMON_JSON; do unset WEFT_$v; done
mount --bind "$0/lib" /var/lib
mount --bind "$0/run" /run
exec "$@"
`

func (h *Host) startAgent(ctx context.Context, env, args []string) (*Process, error) {
	cmd := h.Command(context.Background(), args...)
	cmd.Env = append(cmd.Env, env...)
	p, err := h.LaunchReady(ctx, agentLog, cmd)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agents = append(h.agents, p)
	return p, nil
}

// AgentLog returns the last n lines that the host's agents wrote.
func (h *Host) AgentLog(n int) string { return tail(filepath.Join(h.dir, agentLog+".log"), n) }
