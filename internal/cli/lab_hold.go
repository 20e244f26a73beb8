package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/lab/demo"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/netns"
)

// File descriptors that 'weft lab up' hands to 'weft lab hold'.
const (
	firstExtraFile = 3
	heldLock       = 3 // the place's lock; it is free again when this process has ended
	heldNews       = 4 // pipe for labNews, one line of JSON each
)

// labNews is what the process that holds a lab tells the one that started it.
type labNews struct {
	Say   string `json:"say,omitempty"`
	Up    bool   `json:"up,omitempty"`
	Error string `json:"error,omitempty"`
}

func newLabHoldCommand() *cobra.Command {
	var c demo.Config
	cmd := &cobra.Command{
		Use:    "hold",
		Short:  "Hold a lab's namespaces (started by 'weft lab up')",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return labHold(cmd, c) },
	}
	addLabFlags(cmd, &c)
	return cmd
}

// labHold runs twice: outside, where it keeps the lock, and inside, where it reports
// progress. Neither file must get into the lab's programs.
func labHold(cmd *cobra.Command, c demo.Config) error {
	news := os.NewFile(heldNews, "news")
	if netns.Marked() {
		syscall.CloseOnExec(heldNews)
	} else {
		syscall.CloseOnExec(heldLock)
	}
	tell := json.NewEncoder(news)
	err := inLab(c.Topology(), func(l *lab.Lab) error {
		say := func(line string) { _ = tell.Encode(labNews{Say: line}) } // it does not matter if nobody listens
		if err := demo.Raise(cmd.Context(), l, c, say); err != nil {
			return err
		}
		return serveLab(cmd, l, func() error {
			return errors.Join(tell.Encode(labNews{Up: true}), news.Close())
		})
	})
	if _, told := errors.AsType[*exitError](err); err != nil && !told {
		_ = tell.Encode(labNews{Error: err.Error()}) // the log has it as well
	}
	return err
}

func serveLab(cmd *cobra.Command, l *lab.Lab, up func() error) error {
	place, err := labPlace()
	if err != nil {
		return err
	}
	server, err := holder.Listen(place.Socket(), l, newLogger(cmd.ErrOrStderr(), &settings{}))
	if err != nil {
		return err
	}
	if err := up(); err != nil {
		return fmt.Errorf("tell that the lab is up: %w", err)
	}
	return server.Serve(cmd.Context())
}

// showNews prints progress to w until the lab is up, or returns the error that it ended with, nil
// if it ended without a message.
func showNews(news io.Reader, w io.Writer) (up bool, err error) {
	decoder := json.NewDecoder(news)
	for {
		var n labNews
		if decoder.Decode(&n) != nil {
			return false, nil
		}
		switch {
		case n.Error != "":
			return false, errors.New(n.Error)
		case n.Up:
			return true, nil
		}
		fmt.Fprintln(w, n.Say)
	}
}
