package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// killMembers kills every process in the network namespace that file names, again and again until
// none starts another. The parent-death signal reaches only the processes that Start started; this
// reaches those that they left in the background too.
func killMembers(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read the network namespace: %w", err)
	}
	killed := map[int]bool{}
	for {
		members, err := livingMembers(info)
		if err != nil {
			return err
		}
		fresh := false
		for _, pid := range members {
			if killed[pid] {
				continue
			}
			killed[pid], fresh = true, true
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("kill process %d in the namespace: %w", pid, err)
			}
		}
		if !fresh {
			return nil
		}
	}
}

// livingMembers lists the processes in a network namespace, this one never among them. Processes
// that have ended and wait for their parent have no namespace any more.
func livingMembers(namespace os.FileInfo) ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil || pid == os.Getpid() {
			continue
		}
		info, err := os.Stat(filepath.Join(path, "ns", "net"))
		if err != nil {
			continue // It ended meanwhile, or is another user's.
		}
		if sameNamespace(info, namespace) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func sameNamespace(a, b os.FileInfo) bool {
	x, xok := a.Sys().(*syscall.Stat_t)
	y, yok := b.Sys().(*syscall.Stat_t)
	return xok && yok && x.Dev == y.Dev && x.Ino == y.Ino
}
