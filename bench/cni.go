package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/weft-net/weft/internal/subnetenv"
	"github.com/weft-net/weft/test/programs"
)

// plugin is a way to put containers into the network: a binary that a runtime
// starts, and the type of its config.
type plugin struct {
	Name string // in the table
	kind string // type of the config
	path string // of the binary, whose name is the type
}

// The plugins that are compared.
const (
	weftType    = "weft"
	flannelType = "flannel" // with bridge and host-local behind it
	bigBinary   = "weft in bin/weft"
)

// podsBefore are the numbers of pods on the host before the measured ones.
var podsBefore = []int{0, 100}

// measureCNI runs every case of the plugins.
func measureCNI(ctx context.Context, o *options) (calls []callResult, ways []podWayResult, err error) {
	all, others, err := pluginsIn(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range podsBefore {
		progress("CNI, %d pods ...", n)
		rs, err := measureCalls(ctx, o, all, others, n)
		if err != nil {
			return nil, nil, fmt.Errorf("CNI with %d pods: %w", n, err)
		}
		calls = append(calls, rs...)
	}
	progress("CNI, pod to pod ...")
	ways, err = measurePodWays(ctx, o, []plugin{all[0], all[1]}, others)
	if err != nil {
		return nil, nil, fmt.Errorf("CNI, pod to pod: %w", err)
	}
	return calls, ways, nil
}

// pluginsIn puts every plugin into a folder under its type's name, and returns
// also the folder of the plugins that flannel delegates to.
func pluginsIn(ctx context.Context, o *options) (all []plugin, others string, err error) {
	if others, err = programs.CNI.Dir(ctx); err != nil {
		return nil, "", err
	}
	small := filepath.Join(filepath.Dir(o.dir), "weft-cni")
	progress("building weft-cni ...")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", small, "github.com/weft-net/weft/cmd/weft-cni")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("build weft-cni: %w\n%s", err, out)
	}
	for _, p := range []struct{ name, kind, binary string }{
		{weftType, weftType, small}, {flannelType, flannelType, small}, {bigBinary, weftType, o.weft},
	} {
		dir, err := os.MkdirTemp(o.dir, "plugin-")
		if err != nil {
			return nil, "", err
		}
		binary, err := filepath.Abs(p.binary)
		if err != nil {
			return nil, "", err
		}
		path := filepath.Join(dir, p.kind)
		if err := os.Symlink(binary, path); err != nil {
			return nil, "", err
		}
		all = append(all, plugin{p.name, p.kind, path})
	}
	return all, others, nil
}

// podSubnet is the host's, with room for more pods than are made.
var podSubnet = netip.MustParsePrefix("10.5.0.0/22")

// writeSubnet says in dir what an agent would, and returns the file's path.
func writeSubnet(dir string) (string, error) {
	path := filepath.Join(dir, "subnet.env")
	return path, subnetenv.Write(path, subnetenv.Env{
		Networks: []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16")}, Subnets: []netip.Prefix{podSubnet}, MTU: 1450,
	})
}
