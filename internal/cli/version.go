package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what is known about this binary.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// versionDocument is the version for programs.
type versionDocument struct {
	header
	build
}

// readBuild completes version, which the linker may have set, with the
// build's own record.
func readBuild(version string) build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		if b.Version == "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	return b
}

// versionLine is what --version prints: "weft v1.2.3 go1.26.1 linux/amd64".
func versionLine(version string) string {
	b := readBuild(version)
	line := "weft " + b.Version
	if b.Revision != "" {
		line += " " + b.Revision
	}
	return fmt.Sprintf("%s %s %s", line, b.Go, b.Platform)
}

func printVersion(w io.Writer, version string) { fmt.Fprintln(w, versionLine(version)) }

func newVersionCommand(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version of this binary, the commit it was built from where known, and\nthe compiler.",
		Example: "  weft version\n  weft version -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc := versionDocument{newHeader("Version"), readBuild(a.Version)}
			return present(cmd.OutOrStdout(), output, doc, func() error {
				printVersion(cmd.OutOrStdout(), a.Version)
				return nil
			})
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}
