package page

import (
	"context"

	"github.com/weft-net/weft/internal/api"
)

// Source is where a page's data come from.
type Source struct {
	// Agents returns the agents that can be asked, that of this host first. A
	// host whose agent is not among them is shown with what others know of it.
	Agents func(context.Context) ([]Agent, error)
	// Run runs a command of weft on a host, one of Agents', "" for this one, and
	// returns what it printed. The page runs only commands that change nothing.
	Run func(ctx context.Context, host string, stdin []byte, args ...string) (Output, error)
	// Background runs beside the server until its context ends; nil: nothing does.
	Background func(context.Context)
	// Lab is the lab that the page shows; nil: the hosts are real.
	Lab Lab
}

// Agent is one whose answers the page shows.
type Agent struct {
	Host string // name of its host, as Run takes it
	ID   string // of its host, HostID of its subnets; "" if only its answer tells
	Asker
}

// Asker is what the page asks an agent.
type Asker interface {
	Status(context.Context) (api.Status, error)
	// Events returns those after a number, oldest first; none if the agent keeps
	// them to its own host.
	Events(ctx context.Context, after int64) ([]api.Event, error)
}

// Output is what a command has printed.
type Output struct {
	Stdout, Stderr []byte
	Code           int // its exit code
}

// Lab is a lab whose cables and segments can be cut.
type Lab interface {
	Cables() (Cables, error)
	SetCut(name string, cut bool) error
}

// Cables is what of a lab can be cut, by name, and what is.
type Cables struct {
	Hosts    []string `json:"hosts"`
	Segments []string `json:"segments"`
	Cut      []string `json:"cut"`
}
