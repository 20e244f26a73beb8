package agent

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// claims are the things on the host that this agent has taken for itself.
type claims struct {
	claim func(name string) (io.Closer, error) // nil: there is nobody to claim them from
	held  map[string]io.Closer
}

// take makes names this agent's, and keeps what it had before. The error says
// whose a name is, and what to do about it.
func (c *claims) take(names []string) error {
	for _, name := range names {
		if c.claim == nil || c.held[name] != nil {
			continue
		}
		claim, err := c.claim(name)
		if err != nil {
			return fmt.Errorf("%w; two networks on one host need a range of addresses and a VNI each, or without VNIs an --nft-table each", err)
		}
		if c.held == nil {
			c.held = map[string]io.Closer{}
		}
		c.held[name] = claim
	}
	return nil
}

// release gives up all but names.
func (c *claims) release(names []string) {
	for name, claim := range c.held {
		if !slices.Contains(names, name) {
			_ = claim.Close() // it ends with the process at the latest
			delete(c.held, name)
		}
	}
}

// close gives up everything.
func (c *claims) close() error {
	var errs []error
	for name, claim := range c.held {
		errs = append(errs, claim.Close())
		delete(c.held, name)
	}
	return errors.Join(errs...)
}
