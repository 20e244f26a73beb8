package cli

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// agentFlags are the flags of 'weft up'.
func agentFlags(t *testing.T) *pflag.FlagSet {
	t.Helper()
	root, _ := newRoot(Process{})
	up, _, err := root.Find([]string{upName})
	if err != nil {
		t.Fatal(err)
	}
	up.InitDefaultHelpFlag()
	return up.Flags()
}

func TestEveryFlagOfTheAgentHasAHeading(t *testing.T) {
	all := grouped(agentFlags(t))
	var names []string
	for _, f := range all[ownFlags] {
		names = append(names, f.Name)
	}
	if want := []string{"help", "version"}; !slices.Equal(names, want) {
		t.Errorf("under %q there are %q, want only %q", ownFlags, names, want)
	}
	for _, g := range flagGroups {
		if len(all[g.title]) == 0 {
			t.Errorf("no flag is under %q", g.title)
		}
	}
}

func TestHelpFitsTheTerminal(t *testing.T) {
	fs := agentFlags(t)
	for _, width := range []int{40, 80, 120} {
		var b strings.Builder
		writeFlags(&b, fs, width)
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > width && len(strings.Fields(line)) > 2 {
				t.Errorf("of %d columns is %q", width, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("spaces end %q", line)
			}
		}
		for _, avoided := range []string{"[]", "true|false", "default false", "2m0s"} {
			if strings.Contains(b.String(), avoided) {
				t.Errorf("of %d columns, the help says %q", width, avoided)
			}
		}
	}
}

func TestWrapText(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"extraordinary word", []string{"extraordinary", "word"}},
		{"größe äöü x", []string{"größe", "äöü x"}},
	} {
		if got := wrapText(test.text, 8); !slices.Equal(got, test.want) {
			t.Errorf("%q is laid out as %q, want %q", test.text, got, test.want)
		}
	}
}

func TestOneDashIsTakenAsTwo(t *testing.T) {
	fs := agentFlags(t)
	for in, want := range map[string]string{
		"-iface=eth0 -ip-masq":              "--iface=eth0 --ip-masq",
		"-iface eth0 --ip-masq":             "--iface eth0 --ip-masq",
		"-etcd-password -iface -v=4":        "--etcd-password -iface --v=4",
		"-etcd-password=-iface -v 4":        "--etcd-password=-iface --v 4",
		"--etcd-prefix -v -v -1":            "--etcd-prefix -v --v -1",
		"-ip-masq=false -log_backtrace_at=": "--ip-masq=false --log_backtrace_at=",
		"-logtostderr -alsologtostderr":     "--logtostderr --alsologtostderr",
		"-h":                                "-h",
		"-help":                             "--help",
		"-nope=1 -1 - -":                    "--nope=1 -1 - -",
		"-ip-masq -- -iface":                "--ip-masq -- -iface",
		"-etcd-prefix -- -iface=x":          "--etcd-prefix -- --iface=x",
	} {
		if got := strings.Join(twoDashes(fs, strings.Fields(in)), " "); got != want {
			t.Errorf("%q is read as %q, want %q", in, got, want)
		}
	}
}

// TestEveryCommandIsExplained holds that each command has a description that
// fits a terminal, and an example.
func TestEveryCommandIsExplained(t *testing.T) {
	root, _ := newRoot(Process{})
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		for line := range strings.Lines(cmd.Long) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > plainWidth+4 {
				t.Errorf("%s: of %d columns is %q", cmd.CommandPath(), n, line)
			}
		}
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s lacks a description or an example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(root)
}
