package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weft-net/weft/internal/lab"
)

// crew is a lab whose hosts run agents, with a pod on each.
type crew struct {
	lab   *lab.Lab
	store *lab.Process
	hosts []*lab.Host
	pods  []*lab.Pod
}

// newCrew starts the store, puts doc into it, and starts the agents.
func newCrew(ctx context.Context, o *options, name, doc string, t lab.Topology, etcd lab.EtcdProgram) (*crew, error) {
	dir := filepath.Join(o.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := lab.New(t, lab.Options{Dir: dir, Binary: o.weft})
	if err != nil {
		return nil, err
	}
	c := &crew{lab: l}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := c.start(ctx, doc, etcd); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *crew) start(ctx context.Context, doc string, etcd lab.EtcdProgram) error {
	host, err := c.lab.Host(lab.StoreHost)
	if err != nil {
		return err
	}
	if c.store, err = host.StartEtcd(ctx, etcd); err != nil {
		return err
	}
	if err := c.configure(ctx, doc); err != nil {
		return err
	}
	for _, name := range c.lab.HostNames() {
		h, err := c.lab.Host(name)
		if err != nil {
			return err
		}
		if name == lab.StoreHost {
			continue
		}
		if _, err := h.StartAgent(ctx); err != nil {
			return err
		}
		pod, err := h.AddPod("p" + name)
		if err != nil {
			return err
		}
		c.hosts, c.pods = append(c.hosts, h), append(c.pods, pod)
	}
	return c.awaitRoutes(ctx)
}

// configure stores a config and waits until every host has followed.
func (c *crew) configure(ctx context.Context, doc string) error {
	host, err := c.lab.Host(lab.StoreHost)
	if err != nil {
		return err
	}
	_, err = host.Run(ctx, "weft", "config", "set", "--wait=1m", doc)
	return err
}

// awaitRoutes returns when every pod reaches every other.
func (c *crew) awaitRoutes(ctx context.Context) error {
	for _, from := range c.pods {
		for _, to := range c.pods {
			if from == to {
				continue
			}
			if err := reached(ctx, from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

func reached(ctx context.Context, from, to *lab.Pod) error {
	for {
		tally, err := from.Ping(ctx, to.Addrs[0].Addr(), 1)
		if err != nil {
			return fmt.Errorf("wait for packets from %s to %s: %w", from, to, err)
		}
		if tally.Received > 0 {
			return nil
		}
	}
}

func (c *crew) close() error { return c.lab.Close() }
