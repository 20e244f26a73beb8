// Package hosts holds the standing trial: weft on hosts as people set them up, a script each in testdata. See
// README.md.
package hosts
