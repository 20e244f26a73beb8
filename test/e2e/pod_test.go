package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/weft-net/weft/internal/lab"
)

// pod runs the containers of a pod with Docker as the pod describes them: with these capabilities
// and mounts and no others. What it mounts from its node lies in a directory of the lab's, but for
// the kernel's own.
type pod struct {
	node    *lab.Host
	spec    corev1.PodSpec
	configs func(name string) (map[string]string, error) // ConfigMaps
}

// initialize runs the init containers to their end, and returns what they printed.
func (p pod) initialize(ctx context.Context) (string, error) {
	var all strings.Builder
	for _, c := range p.spec.InitContainers {
		flags, err := p.flags(c)
		if err != nil {
			return all.String(), err
		}
		out, err := p.node.Run(ctx, slices.Concat([]string{"docker", "run", "--rm"}, flags)...)
		all.WriteString(out)
		if err != nil {
			return all.String(), err
		}
	}
	return all.String(), nil
}

// start starts a container and leaves it running.
func (p pod) start(ctx context.Context, c corev1.Container) error {
	flags, err := p.flags(c)
	if err == nil {
		_, err = p.node.Run(ctx, slices.Concat([]string{"docker", "run", "--detach"}, flags)...)
	}
	return err
}

// flags are docker run's for a container, its image and command included.
func (p pod) flags(c corev1.Container) ([]string, error) {
	flags := append([]string{"--name=" + c.Name, "--entrypoint=" + c.Command[0]}, p.limits(c)...)
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil && e.ValueFrom.FieldRef.FieldPath == "spec.nodeName" {
			value = p.node.Name
		}
		flags = append(flags, "--env="+e.Name+"="+value)
	}
	for _, m := range c.VolumeMounts {
		source, err := p.volume(m.Name)
		if err != nil {
			return nil, err
		}
		flags = append(flags, "--volume="+source+":"+m.MountPath+map[bool]string{true: ":ro"}[m.ReadOnly])
	}
	return slices.Concat(flags, []string{c.Image}, c.Command[1:], c.Args), nil
}

// limits are the flags for what a container may do.
func (p pod) limits(c corev1.Container) (flags []string) {
	s := c.SecurityContext
	for flag, yes := range map[string]bool{
		"--network=host":                   p.spec.HostNetwork,
		"--read-only":                      *s.ReadOnlyRootFilesystem,
		"--security-opt=no-new-privileges": !*s.AllowPrivilegeEscalation,
	} {
		if yes {
			flags = append(flags, flag)
		}
	}
	for _, drop := range s.Capabilities.Drop {
		flags = append(flags, "--cap-drop="+string(drop))
	}
	for _, add := range s.Capabilities.Add {
		flags = append(flags, "--cap-add="+string(add))
	}
	return flags
}

// volume returns the directory that a volume has its files in.
func (p pod) volume(name string) (string, error) {
	i := slices.IndexFunc(p.spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	v := p.spec.Volumes[i]
	if v.ConfigMap != nil {
		return p.configDir(v.ConfigMap.Name), p.writeConfig(v.ConfigMap.Name)
	}
	if strings.HasPrefix(v.HostPath.Path, "/proc/") {
		return v.HostPath.Path, nil
	}
	dir := filepath.Join(rootOf(p.node), v.HostPath.Path)
	return dir, os.MkdirAll(dir, 0o755)
}

func (p pod) configDir(name string) string {
	return filepath.Join(rootOf(p.node), "configs", name)
}

// writeConfig makes the files of a ConfigMap what it says, all at once by the rename of a link, as the
// kubelet does.
func (p pod) writeConfig(name string) error {
	files, err := p.configs(name)
	if err != nil {
		return err
	}
	dir := p.configDir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if same(dir, files) {
		return nil
	}
	version, err := os.MkdirTemp(dir, "..version")
	if err != nil {
		return err
	}
	if err := os.Chmod(version, 0o755); err != nil {
		return err
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(version, file), []byte(text), 0o644); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(dir, file)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	next := filepath.Join(dir, "..data_tmp")
	if err := os.Symlink(filepath.Base(version), next); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(dir, "..data"))
}

func same(dir string, files map[string]string) bool {
	for file, text := range files {
		have, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || string(have) != text {
			return false
		}
	}
	return true
}
