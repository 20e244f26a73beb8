package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Config is a network config list that was validated.
type Config struct {
	name  string
	text  []byte
	types []string
}

// DefaultConfigName is the name of flannel's config, which weft's replaces. A
// runtime uses the first file of its directory by name.
const DefaultConfigName = "10-flannel.conflist"

// maxConfig bounds the size of a config in bytes.
const maxConfig = 1 << 20

// ReadConfig reads the config list in the file at path, to be installed as
// name. It refuses a list that a runtime would not accept: a node without a
// config is reported as not ready, but with an invalid one each pod fails.
func ReadConfig(path, name string) (*Config, error) {
	if filepath.Base(name) != name || filepath.Ext(name) != ".conflist" {
		return nil, fmt.Errorf("%q cannot name a config list: it must be a file name that ends in .conflist", name)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the CNI config to install: %w", err)
	}
	types, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a CNI config list: %w", path, err)
	}
	return &Config{name, text, types}, nil
}

// plugin is the part of an object in a config list that Install needs.
type plugin struct {
	Type string `json:"type"`
	IPAM struct {
		Type string `json:"type"`
	} `json:"ipam"`
	Delegate *plugin `json:"delegate"`
}

// parseConfig returns the types that a config list names, each once.
func parseConfig(text []byte) ([]string, error) {
	if len(text) > maxConfig {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), maxConfig)
	}
	var list struct {
		Name    string   `json:"name"`
		Plugins []plugin `json:"plugins"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	switch {
	case list.Name == "":
		return nil, errors.New(`"name" is missing`)
	case len(list.Plugins) == 0:
		return nil, errors.New(`"plugins" is missing or empty`)
	}
	var types []string
	for i, p := range list.Plugins {
		if p.Type == "" {
			return nil, fmt.Errorf(`plugin %d has no "type"`, i+1)
		}
		types = append(types, p.programs()...)
	}
	slices.Sort(types)
	return slices.Compact(types), nil
}

// programs returns the programs that a plugin's object needs. The type flannel
// delegates to bridge and host-local by default.
func (p plugin) programs() []string {
	out := []string{p.Type, p.IPAM.Type}
	if p.Type == "flannel" {
		inner := plugin{Type: "bridge"}
		if p.Delegate != nil && p.Delegate.Type != "" {
			inner.Type = p.Delegate.Type
		}
		if p.IPAM.Type == "" {
			out = append(out, "host-local")
		}
		out = append(out, inner.Type)
	}
	return slices.DeleteFunc(out, func(t string) bool { return t == "" })
}

// Missing returns the programs that the config needs and that are not in d.Bin:
// without them no pod gets a network.
func (d Dirs) Missing(c *Config) []string {
	return slices.DeleteFunc(slices.Clone(c.types), func(name string) bool {
		info, err := os.Stat(filepath.Join(d.Bin, name))
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	})
}
