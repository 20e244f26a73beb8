package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
)

// onceSettings is for commands that print an answer and exit.
type onceSettings struct{ timeout time.Duration }

func addOnceFlags(fs *flag.FlagSet, o *onceSettings) {
	fs.Var(newValue(&o.timeout, "duration", "10s", parseDuration), "timeout", "time limit of the command")
}

// context bounds the command.
func (o *onceSettings) context(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return context.WithTimeout(cmd.Context(), o.timeout)
}

// askAgent runs ask on a connection to the agent of a run directory, within
// the time allowed.
func askAgent(cmd *cobra.Command, dirs dirSettings, once onceSettings, ask func(context.Context, *api.Client) error) error {
	ctx, cancel := once.context(cmd)
	defer cancel()
	agent, err := api.DialDir(ctx, dirs.runDir)
	if _, none := errors.AsType[*api.NotRunningError](err); none && dirs.runDir == defaultRunDir {
		if others := derivedRunDirs(); len(others) > 0 {
			return withHint(err, "name one of the networks of this host, as in --run-dir=%s", strings.Join(others, " or --run-dir="))
		}
	}
	if err != nil {
		return err
	}
	defer agent.Close()
	return ask(ctx, agent)
}

// patience is how long a command stays silent about what it waits for.
const patience = 2 * time.Second

// waiting runs work and prints once to w what it waits for, if that takes
// longer than patience.
func waiting(w io.Writer, what string, work func() error) error {
	return waitingOn(w, func() string { return "still waiting for " + what }, work)
}

// waitingOn is like waiting, for a text that is not known before.
func waitingOn(w io.Writer, what func() string, work func() error) error {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-stop:
		case <-timer.C:
			fmt.Fprintf(w, "weft: %s ...\n", oneLine(what()))
		}
	}()
	err := work()
	close(stop)
	<-ended
	return err
}
