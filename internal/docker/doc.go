// Package docker tells a Docker daemon of this host's subnet: in variables
// for its command line, or in its daemon.json, whose other keys, order and
// layout it keeps. It computes and writes files; it starts no program, and asks
// a running daemon for its version and its default bridge alone.
package docker
