package docker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// RunningVersion asks the dockerd at a unix socket for its version, such as "28.2.2".
func RunningVersion(ctx context.Context, socket string) (string, error) {
	var doc struct{ Version string }
	err := ask(ctx, socket, "/version", &doc)
	if err == nil && doc.Version == "" {
		err = errors.New("the answer has none")
	}
	if err != nil {
		return "", fmt.Errorf("ask dockerd for its version: %w", err)
	}
	return doc.Version, nil
}

// PrintedVersion reads what 'dockerd --version' prints: "Docker version 28.2.2, build 45873be"; ""
// if it is something else.
func PrintedVersion(text string) string {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "Docker version ")
	version, _, _ := strings.Cut(rest, ",")
	if !ok {
		return ""
	}
	return version
}

// Since 28, Docker drops packets to a container that do not come by its bridge. 28.2 has an
// option against that; earlier ones refuse to start with it.
var dropsDirect, allowsDirect = release{28, 0}, release{28, 2}

// release is the first two numbers of a version.
type release struct{ major, minor int }

func (r release) before(o release) bool {
	return r.major < o.major || r.major == o.major && r.minor < o.minor
}

// parseRelease reads "28.2.2", "28.2.0-rc.1" or "28.2"; false if it is no version.
func parseRelease(version string) (r release, ok bool) {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	minor, _, _ = strings.Cut(minor, "-")
	var err, err2 error
	r.major, err = strconv.Atoi(major)
	r.minor, err2 = strconv.Atoi(minor)
	return r, err == nil && err2 == nil
}

// keyDirect has packets to a container accepted that do not come by its bridge.
const keyDirect = "allow-direct-routing"

// ForVersion returns the settings that a dockerd of the version needs beside those of
// a Bridge; none if it is not known. The note says what it has no setting for.
func ForVersion(version string) (more []Setting, note string) {
	r, ok := parseRelease(version)
	switch {
	case !ok || r.before(dropsDirect):
		return nil, ""
	case r.before(allowsDirect):
		return nil, fmt.Sprintf("Docker %s drops packets to containers that do not come by docker0. weft accepts those between containers; for those that hosts send "+
			"without a tunnel, and other clients, update to Docker 28.2 or later and run 'weft docker configure' again", version)
	}
	return []Setting{{keyDirect, "true"}}, ""
}
