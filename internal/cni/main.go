package cni

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// Process is what a plugin sees of its process.
type Process struct {
	Env    func(string) string // as os.Getenv
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// System returns the real process.
func System() Process {
	return Process{Env: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
}

// Called tells whether a runtime started this process as a plugin: it sets
// CNI_COMMAND and gives no arguments. args are those of os.Args.
func Called(args []string, env func(string) string) bool {
	return env("CNI_COMMAND") != "" && len(args) <= 1
}

// Main runs the call that p describes with the plugin of the config's type,
// prints the answer, and returns the exit code: 0, or 1 for an error, which is
// printed in the spec's form.
func Main(ctx context.Context, p Process, plugins map[string]Plugin) int {
	answer, err := serve(ctx, p, plugins)
	if err != nil {
		answer = refusal{version.Current(), failure(err)}
	}
	if answer == nil {
		return 0
	}
	text, encodeErr := json.MarshalIndent(answer, "", "    ")
	if encodeErr == nil {
		_, encodeErr = p.Stdout.Write(append(text, '\n'))
	}
	if err != nil || encodeErr != nil {
		return 1
	}
	return 0
}

// refusal is an error in the spec's form, with the version, which the
// library's type lacks.
type refusal struct {
	CNIVersion string `json:"cniVersion"`
	*types.Error
}

// serve returns what is to be printed; nil for commands that succeed silently.
func serve(ctx context.Context, p Process, plugins map[string]Plugin) (any, error) {
	command := p.Env("CNI_COMMAND")
	if command == "VERSION" {
		return version.All, nil
	}
	r, kind, err := read(p, command)
	if err != nil {
		return nil, err
	}
	plugin, ok := plugins[kind]
	if !ok {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf("the config has type %q", kind), "this plugin has the types "+strings.Join(names(plugins), " and "))
	}
	if err := checkNamespace(r, p.Env("CNI_NETNS_OVERRIDE")); err != nil {
		return nil, err
	}
	ctx, stop := bounded(ctx)
	defer stop()
	return call(ctx, plugin, r)
}

func call(ctx context.Context, plugin Plugin, r Request) (any, error) {
	switch r.Command {
	case "ADD":
		result, err := plugin.Add(ctx, r)
		if err != nil {
			return nil, err
		}
		return result.GetAsVersion(r.Version)
	case "DEL":
		return nil, plugin.Del(ctx, r)
	case "CHECK":
		return nil, plugin.Check(ctx, r)
	case "STATUS":
		return nil, plugin.Status(ctx, r)
	default: // the only one left in since
		return nil, plugin.GC(ctx, r)
	}
}

// checkNamespace refuses the runtime's own network namespace as a container's,
// before anything is done in it, unless the runtime overrides that.
func checkNamespace(r Request, override string) error {
	if r.Netns == "" || override == "1" || strings.EqualFold(override, "true") {
		return nil
	}
	theirs, err := os.Stat(r.Netns)
	if err != nil {
		return nil // DEL does not need it, and ADD says what it tried
	}
	ours, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return types.NewError(types.ErrIOFailure, "read this process's own network namespace", err.Error())
	}
	if os.SameFile(theirs, ours) {
		return types.NewError(types.ErrInvalidNetNS, "CNI_NETNS="+r.Netns+" is the network namespace of the host, not of a container", "")
	}
	return nil
}

func names(plugins map[string]Plugin) []string {
	var all []string
	for name := range plugins {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
