// Package e2e holds the tests of weft as a whole: scripts that drive hosts, faults and packets in a
// lab, with the real program and a real etcd. It has no code of its own but the scripts' commands,
// which README.md in this directory lists.
package e2e
