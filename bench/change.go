package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"
)

// change is what one new lease takes, from just before the put is sent to etcd.
type change struct {
	etcd  time.Duration // until a bare watch of etcd tells of it
	route time.Duration // until the kernel tells of the new route
}

// changePause lets agent and etcd come to rest between two puts.
const changePause = 100 * time.Millisecond

// changes puts k new leases, one after the other, and times each.
func changes(ctx context.Context, w *world, n *network, from, k int) ([]change, error) {
	var r *rtnetlink
	err := w.ns.Do(func() (err error) {
		r, err = openRTNetlink(unix.RTNLGRP_IPV4_ROUTE)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer r.close()
	// An agent that never sets the route must not hang the bench.
	if err := unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := n.etcd.Watch(clientv3.WithRequireLeader(ctx), n.prefix+"/subnets/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	<-watch
	out := make([]change, 0, k)
	for i := range k {
		c, err := n.oneChange(ctx, r, watch, peerAt(from+i))
		if err != nil {
			return nil, err
		}
		out = append(out, c)
		time.Sleep(changePause)
	}
	return out, nil
}

func (n *network) oneChange(ctx context.Context, r *rtnetlink, watch clientv3.WatchChan, p peer) (change, error) {
	key, value, err := n.lease(p)
	if err != nil {
		return change{}, err
	}
	routed := make(chan error, 1)
	var c change
	begin := time.Now()
	go func() {
		err := r.awaitRoute(p.subnet.Addr().AsSlice())
		c.route = time.Since(begin)
		routed <- err
	}()
	told := make(chan struct{})
	go func() {
		defer close(told)
		<-watch
		c.etcd = time.Since(begin)
	}()
	if _, err := n.etcd.Put(ctx, key, value, clientv3.WithLease(n.ttl)); err != nil {
		return change{}, errors.Join(err, <-routed)
	}
	<-told
	if err := <-routed; err != nil {
		return change{}, fmt.Errorf("wait for the route to %s: %w", p.subnet, err)
	}
	return c, nil
}

// awaitRoute reads notifications until one tells of a new route to dst.
func (r *rtnetlink) awaitRoute(dst []byte) error {
	for {
		done, err := r.read(func(m message) (bool, error) {
			return m.typ == unix.RTM_NEWROUTE && slices.Equal(destination(m.data), dst), nil
		})
		if done || err != nil {
			return err
		}
	}
}

func destination(d []byte) []byte {
	if len(d) < unix.SizeofRtMsg {
		return nil
	}
	return attribute(d[unix.SizeofRtMsg:], unix.RTA_DST)
}
