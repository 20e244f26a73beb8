// Package api is the agent's local interface: HTTP on a unix socket for the
// command line, and the health and metrics endpoints for machines. It shows
// what the agent knows; it makes no decisions.
package api
