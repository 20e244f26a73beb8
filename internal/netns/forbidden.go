package netns

import (
	"fmt"
	"os"
	"strings"
)

// switches are the kernel settings that can forbid user namespaces, with the value that does.
var switches = []struct{ sysctl, forbids, allow string }{
	{"kernel.unprivileged_userns_clone", "0", "1"},
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
	{"user.max_user_namespaces", "0", "15000"},
}

// explainForbidden turns the kernel's bare error on creating namespaces into one that says how to fix it.
func explainForbidden(err error) error {
	for _, s := range switches {
		if readSysctl(s.sysctl) == s.forbids {
			return fmt.Errorf("make user, network and mount namespaces: %w; %s=%s forbids them: run as root, or set it with: sysctl -w %s=%s",
				err, s.sysctl, s.forbids, s.sysctl, s.allow)
		}
	}
	return fmt.Errorf("make user, network and mount namespaces: %w; no sysctl forbids them, so a container's seccomp profile or a security module may: run as root outside it", err)
}

func readSysctl(name string) string {
	value, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return "" // Most kernels lack one or the other.
	}
	return strings.TrimSpace(string(value))
}
