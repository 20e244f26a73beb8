package etcdtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Cluster is an etcd of three members.
type Cluster struct{ Members []*Process }

// StartCluster runs three members with their data in dir and returns when all
// of them serve. args are as for Start.
func StartCluster(dir string, args ...string) (*Cluster, error) {
	c := &Cluster{}
	var entries []string
	for i := range 3 {
		m := member(dir, fmt.Sprintf("m%d", i+1), args)
		c.Members, entries = append(c.Members, m), append(entries, m.entry())
	}
	errs := make([]error, len(c.Members))
	var all sync.WaitGroup
	for i, m := range c.Members {
		m.cluster = strings.Join(entries, ",")
		all.Go(func() { errs[i] = m.run() }) // none serves before most of them run
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// URLs are for clients, one a member.
func (c *Cluster) URLs() []string {
	var urls []string
	for _, m := range c.Members {
		urls = append(urls, m.URL())
	}
	return urls
}

// Stop ends all members.
func (c *Cluster) Stop() error {
	var errs []error
	for _, m := range c.Members {
		errs = append(errs, m.Stop())
	}
	return errors.Join(errs...)
}
