package cli

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/weft-net/weft/internal/identity"
)

// cleanDocument is what 'weft clean' removes from this host, and what it leaves.
type cleanDocument struct {
	header
	DryRun  bool         `json:"dryRun"`  // nothing was removed
	Changes []planChange `json:"changes"` // of the kernel's objects
	Files   []string     `json:"files"`   // paths of removed files
	Stays   []cleanStays `json:"stays"`
}

// cleanStays is one thing that clean leaves, by which this host gets its subnet
// again: a lease or a file.
type cleanStays struct {
	What    string       `json:"what"`
	Subnet  netip.Prefix `json:"subnet,omitzero"`   // of a lease
	Path    string       `json:"path,omitempty"`    // of a file or directory
	Release string       `json:"release,omitempty"` // command that releases the lease
}

func (s cleanStays) text() string {
	if s.Path != "" {
		return s.Path + ": " + s.What
	}
	return fmt.Sprintf("%s of %s; release it with: %s", s.What, s.Subnet, s.Release)
}

func staysOf(leased []netip.Prefix, stateDir string) (all []cleanStays) {
	for _, subnet := range leased {
		all = append(all, cleanStays{What: "the lease", Subnet: subnet, Release: "weft lease release " + subnet.String()})
	}
	for _, kept := range []cleanStays{
		{What: "this host's identity, which finds the lease again", Path: identity.File(stateDir)},
		{What: "the embedded etcd, with config and leases", Path: embeddedDir(stateDir)},
	} {
		if _, err := os.Lstat(kept.Path); err == nil {
			all = append(all, kept)
		}
	}
	return all
}
