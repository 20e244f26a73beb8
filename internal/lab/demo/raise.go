package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// startLimit is how long one program may take until it is ready.
const startLimit = 60 * time.Second

// Raise starts the store, puts c's config document into it, starts an agent on every other host and
// a pod on each of these. It says each step to say as it goes.
func Raise(ctx context.Context, l *lab.Lab, c Config, say func(string)) error {
	if err := startStore(ctx, l, c, say); err != nil {
		return err
	}
	for i, name := range agentHosts(l) {
		if err := startHost(ctx, l, name, fmt.Sprintf("p%d", i+1), say); err != nil {
			return err
		}
	}
	return nil
}

// agentHosts lists the hosts that run agents and pods.
func agentHosts(l *lab.Lab) []string {
	var out []string
	for _, name := range l.HostNames() {
		if name != lab.StoreHost {
			out = append(out, name)
		}
	}
	return out
}

func startStore(ctx context.Context, l *lab.Lab, c Config, say func(string)) error {
	document, err := c.Document()
	if err != nil {
		return err
	}
	host, err := l.Host(lab.StoreHost)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	began := time.Now()
	if _, err := host.StartEtcd(ctx, lab.EtcdBuiltIn); err != nil {
		return err
	}
	say(fmt.Sprintf("%-5s etcd serves on %s (%s)", host.Name, l.Endpoints(), seconds(began)))
	file := filepath.Join(host.Dir(), "net-conf.json")
	if err := os.WriteFile(file, document, 0o644); err != nil {
		return fmt.Errorf("write the network config: %w", err)
	}
	if _, err := host.Run(ctx, "weft", "config", "set", file); err != nil {
		return fmt.Errorf("store the network config: %w", err)
	}
	say(fmt.Sprintf("%-5s network config: backend %s, %s", host.Name, c.Backend, c.Family))
	return nil
}

func startHost(ctx context.Context, l *lab.Lab, name, podName string, say func(string)) error {
	host, err := l.Host(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	began := time.Now()
	if _, err := host.StartAgent(ctx); err != nil {
		return err
	}
	pod, err := host.AddPod(podName)
	if err != nil {
		return err
	}
	var subnets []string
	for _, a := range pod.Addrs {
		subnets = append(subnets, a.Masked().String())
	}
	say(fmt.Sprintf("%-5s agent leased %s, pod %s is up (%s)", name, strings.Join(subnets, " and "), pod, seconds(began)))
	return nil
}

func seconds(since time.Time) string { return fmt.Sprintf("%.1f s", time.Since(since).Seconds()) }
