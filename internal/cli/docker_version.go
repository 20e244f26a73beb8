package cli

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"strings"

	"github.com/weft-net/weft/internal/docker"
)

// dockerVersion returns the version of dockerd: as given, else of the one that runs, else
// of the one that is installed; "" if there is none.
func dockerVersion(ctx context.Context, given string) string {
	if given != "" {
		return given
	}
	socket, _ := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if !strings.HasPrefix(socket, "/") {
		socket = "" // another host's
	}
	if version, err := docker.RunningVersion(ctx, cmp.Or(socket, docker.DefaultSocket)); err == nil {
		return version
	}
	out, err := exec.CommandContext(ctx, "dockerd", "--version").Output()
	if err != nil {
		return ""
	}
	return docker.PrintedVersion(string(out))
}
