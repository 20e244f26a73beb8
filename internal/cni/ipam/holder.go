package ipam

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// wholeFile stands for the flock of the file, in place of the offset of an
// owner's lock.
const wholeFile = -1

// holder names the process that holds the lock of f at an offset. The kernel
// does not return the holder of a lock that belongs to an open file; its
// /proc/PID/fdinfo lists it. Processes that the caller may not look at are
// skipped, so the answer may be "".
func holder(f *os.File, at int64) string {
	locked, err := f.Stat()
	if err != nil {
		return ""
	}
	paths, _ := filepath.Glob("/proc/[0-9]*/fdinfo/*") // the pattern is valid
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || !holds(string(text), at) {
			continue
		}
		file, err := os.Stat(strings.Replace(path, "fdinfo", "fd", 1))
		if err != nil || !os.SameFile(file, locked) {
			continue
		}
		pid := strings.Split(path, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm") // the process may have ended
		return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(name)))
	}
	return ""
}

// holds reports whether the text of an fdinfo lists a lock at an offset, in a
// line like "lock:	1: OFDLCK  ADVISORY  WRITE -1 00:1f:53 7 7".
func holds(text string, at int64) bool {
	kind, start := "OFDLCK", strconv.FormatInt(at, 10)
	if at == wholeFile {
		kind, start = "FLOCK", "0"
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 9 && words[0] == "lock:" && words[2] == kind && words[7] == start {
			return true
		}
	}
	return false
}
