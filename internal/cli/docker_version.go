package cli

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"strings"

	"github.com/weft-net/weft/internal/docker"
)

// dockerSocket is where dockerd of this host listens, as the docker command finds it.
func dockerSocket() string {
	socket, _ := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if !strings.HasPrefix(socket, "/") {
		socket = "" // another host's
	}
	return cmp.Or(socket, docker.DefaultSocket)
}

// dockerVersion returns the version of dockerd: as given, else of the one that runs, else
// of the one that is installed; "" if there is none.
func dockerVersion(ctx context.Context, given string) string {
	if given != "" {
		return given
	}
	if version, err := docker.RunningVersion(ctx, dockerSocket()); err == nil {
		return version
	}
	out, err := exec.CommandContext(ctx, "dockerd", "--version").Output()
	if err != nil {
		return ""
	}
	return docker.PrintedVersion(string(out))
}
