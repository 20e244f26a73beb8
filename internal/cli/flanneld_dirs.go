package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/pflag"

	"github.com/weft-net/weft/internal/owned"
)

// flanneldDirs is the directory below the default state and run directories
// that has one directory for each network that runs under flanneld's name with
// another prefix or subnet file than flanneld's defaults. flanneld has no such
// directories, so two of its command lines on one host differ in nothing else.
const flanneldDirs = "flanneld"

// derivedFile is the file in a derived state directory that tells whose it is.
const derivedFile = "flanneld.json"

// derived is that file's content.
type derived struct {
	Prefix     string `json:"prefix"`
	SubnetFile string `json:"subnetFile"`
}

// networkName names the network of a flanneld command line, for directories and
// for the nftables table; "" for the one of flanneld's defaults.
func networkName(prefix, subnetFile string) string {
	subnetFile = filepath.Clean(absolute(subnetFile))
	if prefix == defaultPrefix && subnetFile == defaultSubnetFile {
		return ""
	}
	sum := sha256.Sum256([]byte(prefix + "\x00" + subnetFile))
	return slug(prefix) + "-" + hex.EncodeToString(sum[:4])
}

// maxSlug leaves room in a table's name, of which 24 characters are free.
const maxSlug = 15

// slug is the end of a path, whole words if that can be, in letters that every
// name may have.
func slug(path string) string {
	s := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(path))
	s = strings.Trim(s, "-")
	if cut := len(s) - maxSlug; cut > 0 {
		_, words, _ := strings.Cut(s[cut-1:], "-")
		s = cmp.Or(strings.Trim(words, "-"), s[cut:])
	}
	return cmp.Or(s, "network")
}

// separate gives a network of flanneld directories and a table of its own,
// where the operator named none.
func (s *settings) separate(given func(string) bool) {
	name := networkName(s.prefix, s.subnetFile)
	if name == "" || given("state-dir") || given("run-dir") {
		return
	}
	s.stateDir = filepath.Join(defaultStateDir, flanneldDirs, name)
	s.runDir = filepath.Join(defaultRunDir, flanneldDirs, name)
	s.derived = true
	if table := owned.NamedTable(name); !given("nft-table") {
		s.table = table
	}
}

// noteDerived leaves in a derived state directory whose it is, for commands.
func (s *settings) noteDerived() error {
	doc, err := json.Marshal(derived{Prefix: s.prefix, SubnetFile: filepath.Clean(absolute(s.subnetFile))})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.stateDir, 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(s.stateDir, derivedFile), append(doc, '\n'), 0o600)
}

// findDirs points the flags of a command that were left alone to the only
// network of this host, if that runs, or ran, under flanneld's name in derived
// directories.
func findDirs(ctx context.Context, fs *pflag.FlagSet) {
	run, state, file := fs.Lookup("run-dir"), fs.Lookup("state-dir"), fs.Lookup("subnet-file")
	if run == nil || run.Changed || state != nil && state.Changed {
		return
	}
	name := onlyDerived(ctx)
	if name == "" {
		return
	}
	dir := filepath.Join(defaultStateDir, flanneldDirs, name)
	_ = run.Value.Set(filepath.Join(defaultRunDir, flanneldDirs, name)) // a directory's name is never refused
	if state != nil {
		_ = state.Value.Set(dir)
	}
	var d derived
	if doc, err := os.ReadFile(filepath.Join(dir, derivedFile)); err == nil && json.Unmarshal(doc, &d) == nil && file != nil && !file.Changed {
		_ = file.Value.Set(d.SubnetFile)
	}
}

// onlyDerived returns the network in derived directories that a command without
// flags means: the only one that runs, or the only one that there is.
func onlyDerived(ctx context.Context) string {
	all := derivedNames()
	if len(all) == 0 || runs(ctx, defaultRunDir) {
		return ""
	}
	var running []string
	for _, name := range all {
		if runs(ctx, filepath.Join(defaultRunDir, flanneldDirs, name)) {
			running = append(running, name)
		}
	}
	_, err := os.Lstat(filepath.Join(defaultStateDir, "state.records"))
	switch {
	case len(running) == 1:
		return running[0]
	case len(running) == 0 && len(all) == 1 && err != nil:
		return all[0]
	}
	return ""
}

func runs(ctx context.Context, runDir string) bool {
	agent, err := running(ctx, runDir)
	if agent != nil {
		agent.Close()
	}
	return agent != nil || err != nil // one of another user's runs as well
}

// derivedNames lists the networks of this host in derived directories.
func derivedNames() []string {
	entries, err := os.ReadDir(filepath.Join(defaultStateDir, flanneldDirs))
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// derivedRunDirs are the run directories of these networks, for messages.
func derivedRunDirs() []string {
	var out []string
	for _, name := range derivedNames() {
		out = append(out, filepath.Join(defaultRunDir, flanneldDirs, name))
	}
	return out
}
