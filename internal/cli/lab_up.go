package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab/demo"
	"github.com/weft-net/weft/internal/lab/holder"
)

func newLabUpCommand() *cobra.Command {
	var c demo.Config
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Build a lab and keep it in the background",
		Long: `Build the network of 'weft lab demo', and keep it running in the background
until 'weft lab down'. Each user has at most one such lab.`,
		Example: `  weft lab up --backend vxlan --family dual
  weft lab status
  weft lab exec h1 -- ip route
  weft lab down`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return labUp(cmd, c) },
	}
	addLabFlags(cmd, &c)
	return cmd
}

// labUp starts the process that holds the lab, shows its progress, and returns when it is up. If
// this command is interrupted before, the lab is taken down again.
func labUp(cmd *cobra.Command, c demo.Config) error {
	place, err := labPlace()
	if err != nil {
		return err
	}
	lock, err := place.Lock()
	if err != nil {
		return labRunning(err)
	}
	defer lock.Close() // the holding process has its own copy
	news, child, err := startHolding(place, lock, c)
	if err != nil {
		return err
	}
	defer news.Close() // only read from
	interrupt := context.AfterFunc(cmd.Context(), func() { _ = child.Process.Signal(syscall.SIGTERM) })
	defer interrupt()
	up, err := showNews(news, cmd.OutOrStdout())
	if up {
		fmt.Fprintln(cmd.OutOrStdout(), "The lab is up. Try: weft lab exec h1 -- weft status")
		return child.Process.Release()
	}
	ended := child.Wait() // its log or the news say more
	if cmd.Context().Err() != nil {
		return errors.New("interrupted; the lab is down again")
	}
	if err == nil {
		err = fmt.Errorf("the lab's process ended (%w); its log, %s, ends with:\n%s", orNoError(ended), place.Log(), lastLines(place.Log(), 20))
	}
	return err
}

// orNoError returns an error also for a process that ended without one.
func orNoError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// startHolding starts 'weft lab hold' in a session of its own and returns its news.
func startHolding(place holder.Place, lock *os.File, c demo.Config) (io.ReadCloser, *exec.Cmd, error) {
	log, err := os.OpenFile(place.Log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the lab's log: %w", err)
	}
	defer log.Close() // the child has its own copy
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe to the lab: %w", err)
	}
	defer write.Close()
	cmd := exec.Command("/proc/self/exe", "lab", "hold", "--backend", string(c.Backend), "--family", string(c.Family))
	cmd.Args[0] = "weft"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{heldLock - firstExtraFile: lock, heldNews - firstExtraFile: write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start the lab's process: %w", err), read.Close())
	}
	return read, cmd, nil
}

func lastLines(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
