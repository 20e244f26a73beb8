// Package cli is weft's command line: it reads flags, environment and files,
// checks them, calls the packages that do the work, and prints. One file
// holds one command. It decides nothing about networks.
package cli
