package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/page"
)

func newLabUICommand(a *app) *cobra.Command {
	var v viewer
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Show the lab as a picture in a browser, with buttons that cut and mend",
		Long: `Serve the page of 'weft ui' for the lab that 'weft lab up' keeps: all hosts as their
own agents see the network, live. Its buttons cut and mend cables of hosts and
whole segments, as 'weft lab cut' and 'weft lab mend' do.

The page is served on the loopback address alone, until this command is
interrupted. The address that is printed lets one browser in, once.`,
		Example: `  weft lab up && weft lab ui`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			place, err := labPlace()
			if err != nil {
				return err
			}
			return labRunning(v.serve(cmd, newLabSource(place), a.Process))
		},
	}
	v.add(cmd)
	return cmd
}

// labAnswer is the maximum size of an answer of a lab's agent, in bytes.
const labAnswer = 16 << 20

// newLabSource is all agents of a held lab, and the commands of its hosts.
func newLabSource(place holder.Place) page.Source {
	clients := map[string]*api.Client{}
	return page.Source{
		Agents: func(context.Context) ([]page.Agent, error) { // by one goroutine at a time
			status, err := place.Status()
			if err != nil {
				return nil, err
			}
			var out []page.Agent
			for _, h := range status.Hosts {
				if h.Agent == "none" {
					continue
				}
				if clients[h.Name] == nil {
					clients[h.Name] = api.NewClient(h.Name, labAnswer, func(context.Context) (net.Conn, error) { return place.Dial(h.Name) })
				}
				out = append(out, page.Agent{Host: h.Name, Asker: clients[h.Name]})
			}
			return out, nil
		},
		Run: func(ctx context.Context, host string, stdin []byte, args ...string) (page.Output, error) {
			return runInLab(ctx, place, host, stdin, args)
		},
		Lab: heldLab{place},
	}
}

// runInLab runs a command of weft on a host of the lab.
func runInLab(ctx context.Context, place holder.Place, host string, stdin []byte, args []string) (page.Output, error) {
	if host == "" {
		host = "h1"
	}
	var out page.Output
	var pipes [3][2]*os.File // reading, writing
	for i := range pipes {
		r, w, err := os.Pipe()
		if err != nil {
			return out, err
		}
		defer r.Close()
		defer w.Close()
		pipes[i] = [2]*os.File{r, w}
	}
	program := holder.Program{
		Node: host, Args: append([]string{"weft"}, args...), Env: os.Environ(), Dir: "/",
		Stdio: [3]*os.File{pipes[0][0], pipes[1][1], pipes[2][1]},
	}
	read := make(chan struct{}, 2)
	for i, to := range []*[]byte{&out.Stdout, &out.Stderr} {
		go func() {
			*to, _ = io.ReadAll(pipes[i+1][0]) // what a program cannot print is missed in its answer
			read <- struct{}{}
		}()
	}
	go func() {
		_, _ = io.Copy(pipes[0][1], bytes.NewReader(stdin))
		_ = pipes[0][1].Close()
	}()
	signals := make(chan os.Signal, 1)
	stop := context.AfterFunc(ctx, func() { signals <- os.Kill })
	defer stop()
	code, err := place.Exec(program, signals)
	_ = pipes[1][1].Close() // the program's copies are closed with it
	_ = pipes[2][1].Close()
	<-read
	<-read
	if err != nil {
		return out, fmt.Errorf("run 'weft %s' on %s: %w", args[0], host, err)
	}
	out.Code = code
	return out, nil
}

// heldLab cuts and mends.
type heldLab struct{ place holder.Place }

func (l heldLab) Cables() (page.Cables, error) {
	status, err := l.place.Status()
	if err != nil {
		return page.Cables{}, err
	}
	c := page.Cables{Hosts: []string{}, Segments: status.Segments, Cut: append([]string{}, status.Cut...)}
	for _, h := range status.Hosts {
		c.Hosts = append(c.Hosts, h.Name)
	}
	return c, nil
}

func (l heldLab) SetCut(name string, cut bool) error {
	if cut {
		return l.place.Cut(name)
	}
	return l.place.Mend(name)
}
