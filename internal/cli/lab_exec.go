package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab/holder"
)

// forwarded are the signals that go to a program in the lab instead of this process.
var forwarded = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

func newLabExecCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec HOST|POD [--] COMMAND [ARG...]",
		Short: "Run a program on a host or in a pod of the lab",
		Long: `Run a program on a host or in a pod of the lab that 'weft lab up' keeps, with
this terminal, and exit with its exit code. On a host, weft finds the host's agent
and the lab's store by itself.`,
		Example: `  weft lab exec h1 -- weft status
  weft lab exec h1 -- ip route
  weft lab exec p1 -- ping -c 3 10.42.45.2
  weft lab exec h3 -- sh`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(labProgram(args)) == 0 {
				return &usageError{
					errors.New("'weft lab exec' needs a host or pod and a program to run there, for example: weft lab exec h1 -- weft status"),
					"'weft lab status' lists the hosts and pods",
				}
			}
			return nil
		},
		RunE:              func(_ *cobra.Command, args []string) error { return labExec(args[0], labProgram(args)) },
		ValidArgsFunction: completeLab(cobra.ShellCompDirectiveDefault, labNodes),
	}
	cmd.Flags().SetInterspersed(false) // flags after the host are the program's
	return cmd
}

// labProgram returns what follows the host's name, and "--" if given.
func labProgram(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	args = args[1:]
	if len(args) > 0 && args[0] == "--" {
		return args[1:]
	}
	return args
}

func labExec(node string, args []string) error {
	place, err := labPlace()
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the working directory: %w", err)
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)
	code, err := place.Exec(holder.Program{
		Node: node, Args: args, Env: os.Environ(), Dir: dir,
		Stdio: [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
	}, signals)
	switch {
	case err != nil:
		return labRunning(err)
	case code != exitOK:
		return &exitError{code: code}
	}
	return nil
}

func newLabDownCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the lab and everything in it",
		Long: `End the lab that 'weft lab up' keeps, and return when nothing is left of it. It is
not an error if there is none.`,
		Example: `  weft lab down`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			place, err := labPlace()
			if err != nil {
				return err
			}
			err = place.Down()
			if errors.Is(err, holder.ErrNotRunning) {
				fmt.Fprintln(cmd.OutOrStdout(), "No lab is running.")
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "The lab is down.")
			if err := os.Remove(place.Log()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove the lab's log: %w", err)
			}
			return nil
		},
	}
}
