package api

import (
	"context"
	"net/http"
	"net/netip"
)

// pathPaths is where the agent says how each path to its peers can be tried.
const pathPaths = "/v1/paths"

// PeerPath is a path to a peer, with what it takes to send a packet by it.
type PeerPath struct {
	Name   string         `json:"name,omitempty"` // of the host
	Lease  []netip.Prefix `json:"lease"`          // its subnets
	Public []netip.Addr   `json:"public"`
	Subnet netip.Prefix   `json:"subnet"`
	Kind   string         `json:"kind"`
	InUse  bool           `json:"inUse"`
	Full   int            `json:"full"` // bytes: the largest packet of containers
	Source netip.Addr     `json:"source"`
	Dest   netip.Addr     `json:"dest"`
	Remote netip.Addr     `json:"remote"`
	Dev    string         `json:"dev"`
	MAC    string         `json:"mac,omitempty"` // of the device at the other end; absent: the neighbour Remote's
	VRF    string         `json:"vrf,omitempty"`
}

// Paths asks for all paths to peers, also those that are not in use.
func (c *Client) Paths(ctx context.Context) ([]PeerPath, error) {
	var paths []PeerPath
	err := c.Document(ctx, pathPaths, &paths)
	return paths, err
}

func servePaths(a Agent) http.HandlerFunc {
	return getOnly(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, a.Paths()) })
}
