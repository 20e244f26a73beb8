package lab

import (
	"context"
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

func (h *Host) startAgent(ctx context.Context, env, args []string) (*Process, error) {
	cmd := h.Command(context.Background(), args...)
	cmd.Env = append(cmd.Env, env...)
	p, err := h.launchReady(ctx, agentLog, cmd)
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
