package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/netconf"
)

func newConfigEditCommand(a *app) *cobra.Command {
	r := replacing{app: a}
	cmd := &cobra.Command{
		Use:   "edit",
		Short: "Change the network config in an editor",
		Long: `Open the stored network config, or the default one if there is none, in $VISUAL,
$EDITOR or vi. When it is closed the document is checked and stored; a mistake is
shown and the editor opens again. Nothing is stored if nothing was changed. What
the change does to running hosts is shown first, as 'weft config set' does.`,
		Example: "  weft config edit\n  EDITOR=nano weft config edit --etcd-endpoints=http://10.0.0.5:2379",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			snap, err := r.access.writable(cmd)
			if err != nil {
				return err
			}
			e := &editor{Process: a.Process, command: editorCommand(a.Env), warn: cmd.ErrOrStderr(), force: r.force}
			doc, err := e.edit(cmd.Context(), snap.Config)
			if err != nil {
				return err
			}
			if doc == nil {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing to change")
				return nil
			}
			_, err = r.replace(cmd, snap, doc)
			return err
		},
	}
	r.flags(cmd)
	return cmd
}

func editorCommand(env func(string) (string, bool)) []string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if text, _ := env(name); strings.TrimSpace(text) != "" {
			return strings.Fields(text)
		}
	}
	return []string{"vi"}
}

// editor lets a user change a document until it is valid.
type editor struct {
	Process
	command []string
	warn    io.Writer
	force   bool
}

// edit returns the changed and valid document, or nil if it was not changed.
// The file with a document that could not be used stays.
func (e *editor) edit(ctx context.Context, stored []byte) ([]byte, error) {
	begin := stored
	if begin == nil {
		begin = netconf.Default()
	}
	file, err := writeTemporary(begin)
	if err != nil {
		return nil, err
	}
	for {
		if err := e.open(ctx, file); err != nil {
			return nil, withHint(err, "your text is in %s", file)
		}
		doc, err := readDocument(file, nil)
		if err == nil && bytes.Equal(doc, stored) {
			return nil, os.Remove(file)
		}
		if err == nil {
			_, _, err = reviewDocument(doc, stored, e.force)
		}
		if err == nil {
			return doc, os.Remove(file)
		}
		fmt.Fprintf(e.warn, "weft: %s\nPress Enter to edit again, or Ctrl-D to give up. ", indented(err.Error()))
		if _, err := readLine(e.Stdin); err != nil {
			fmt.Fprintln(e.warn)
			return nil, withHint(errors.New("nothing was stored"), "your text is in %s; once it is valid, store it with 'weft config set %s'", file, file)
		}
	}
}

func writeTemporary(doc []byte) (string, error) {
	f, err := os.CreateTemp("", "weft-config-*.json")
	if err != nil {
		return "", fmt.Errorf("make a file to edit: %w", err)
	}
	_, err = f.Write(doc)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("write the file to edit: %w", err)
	}
	return f.Name(), nil
}

func (e *editor) open(ctx context.Context, file string) error {
	args := append(e.command[1:len(e.command):len(e.command)], file)
	cmd := exec.CommandContext(ctx, e.command[0], args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.Stdin, e.Stdout, e.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run the editor %q: %w; choose another with EDITOR", strings.Join(e.command, " "), err)
	}
	return nil
}
