// Command pages writes what a release says about weft's command line, out of
// the commands themselves: manual pages, completion for shells, and a sample
// environment file. It is a program of its own so that the agent does not
// contain what writes them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/weft-net/weft/internal/cli"
)

func main() {
	out := flag.String("out", "", "directory for the files; it is made if need be")
	version := flag.String("version", "", "version that the manual pages name")
	date := flag.Int64("date", 0, "date of the manual pages, in seconds since 1970")
	flag.Parse()
	if err := write(*out, *version, time.Unix(*date, 0).UTC()); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

func write(dir, version string, date time.Time) error {
	if dir == "" {
		return errors.New("-out names no directory")
	}
	root := cli.Tree(version)
	if err := writeManual(root, filepath.Join(dir, "man"), version, date); err != nil {
		return fmt.Errorf("write the manual pages: %w", err)
	}
	return errors.Join(
		writeFile(filepath.Join(dir, "completion", "weft.bash"), func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }),
		writeFile(filepath.Join(dir, "completion", "_weft"), root.GenZshCompletion),
		writeFile(filepath.Join(dir, "completion", "weft.fish"), func(w io.Writer) error { return root.GenFishCompletion(w, true) }),
		writeFile(filepath.Join(dir, "weft.env"), cli.WriteSampleEnvironment),
	)
}

// writeManual writes a page for each command: weft.1, weft-up.1, ...
func writeManual(root *cobra.Command, dir, version string, date time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true // it would name the day on which this runs
	header := &doc.GenManHeader{Section: "1", Source: "weft " + version, Manual: "weft", Date: &date}
	return doc.GenManTree(root, header, dir)
}

func writeFile(path string, content func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(content(f), f.Close())
}
