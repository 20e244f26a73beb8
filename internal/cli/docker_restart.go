package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// supervisor restarts Docker, in its own words.
type supervisor struct {
	name string
	unit string
	args []string // the command line
}

// restartDocker restarts Docker through whatever runs it here, and says which.
func restartDocker(ctx context.Context, w io.Writer) error {
	s, ok := findSupervisor(ctx)
	if !ok {
		return withHint(errors.New("daemon.json is up to date, but Docker was not restarted: neither systemd nor supervisord runs it here"),
			"restart dockerd the way it was started")
	}
	fmt.Fprintf(w, "restarting %s through %s\n", s.unit, s.name)
	out, err := exec.CommandContext(ctx, s.args[0], s.args[1:]...).CombinedOutput()
	if err != nil || saysError(string(out)) {
		return withHint(fmt.Errorf("daemon.json is up to date, but '%s' failed: %s", strings.Join(s.args, " "), sayEnd(err, out)),
			"see Docker's log; a setting must not be in both daemon.json and dockerd's command line")
	}
	fmt.Fprintf(w, "restarted %s\n", s.unit)
	return nil
}

// saysError finds failures that supervisorctl reports in its output only. It is
// not a failure that Docker was not running before.
func saysError(out string) bool {
	return strings.Contains(strings.ReplaceAll(out, "ERROR (not running)", ""), "ERROR")
}

func sayEnd(err error, out []byte) string {
	text := strings.TrimSpace(string(out))
	if err != nil {
		text = strings.TrimSpace(err.Error() + "\n" + text)
	}
	return text
}

// findSupervisor asks systemd, then supervisord, whether they run Docker.
func findSupervisor(ctx context.Context) (supervisor, bool) {
	const unit = "docker.service"
	out, err := exec.CommandContext(ctx, "systemctl", "show", "--property=LoadState", "--value", unit).Output()
	if err == nil && strings.TrimSpace(string(out)) == "loaded" {
		return supervisor{"systemd", unit, []string{"systemctl", "restart", unit}}, true
	}
	// supervisorctl exits with 3 when any program is stopped, and still lists all.
	out, _ = exec.CommandContext(ctx, "supervisorctl", "status").Output()
	for line := range strings.Lines(string(out)) {
		if program, _, _ := strings.Cut(line, " "); isDockerProgram(program) {
			return supervisor{"supervisord", program, []string{"supervisorctl", "restart", program}}, true
		}
	}
	return supervisor{}, false
}

// isDockerProgram takes a name as supervisorctl lists it: program, or
// group:program.
func isDockerProgram(name string) bool {
	_, program, grouped := strings.Cut(name, ":")
	if !grouped {
		program = name
	}
	return slices.Contains([]string{"docker", "dockerd"}, program)
}
