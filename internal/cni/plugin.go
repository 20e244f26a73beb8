package cni

import (
	"context"
	"fmt"
	"io"

	"github.com/containernetworking/cni/pkg/types"
)

// Plugin serves the calls of a runtime. An error that is a *types.Error goes to
// the runtime with its code, any other with code 999. Methods must not write to
// standard output.
type Plugin interface {
	// Add connects a container to the network. The result may be of any version
	// of the spec; the runtime gets it in that of its config. A failed Add is
	// rolled back.
	Add(context.Context, Request) (types.Result, error)
	// Del undoes Add. Missing objects, the namespace included, are no error.
	Del(context.Context, Request) error
	// Check fails if the container's network differs from what Add made.
	Check(context.Context, Request) error
	// Status fails if an Add would fail now, with code 50 or 51.
	Status(context.Context, Request) error
	// GC releases what attachments hold that are not among the valid ones.
	GC(context.Context, Request) error
}

// Request is one call of a runtime. Names in it are safe as parts of paths:
// they hold neither slashes nor dots alone, and nothing outside of ASCII.
type Request struct {
	Command     string               // CNI_COMMAND
	ContainerID string               // of ADD, DEL and CHECK
	IfName      string               // of ADD, DEL and CHECK; 1 to 15 bytes
	Netns       string               // path of the container's network namespace; DEL may lack it
	Args        string               // CNI_ARGS
	Path        string               // CNI_PATH: where plugins are, separated by ":"
	Config      []byte               // the plugin's config, a JSON object of at most 1 MiB
	Network     string               // its name
	Version     string               // its cniVersion
	Valid       []types.GCAttachment // of GC: those that the runtime knows of
	Log         io.Writer            // for warnings of calls that succeed; runtimes log it
}

// Warn tells the runtime's log what a call that succeeds could not do.
func (r Request) Warn(err error) {
	if r.Log != nil && err != nil {
		_, _ = fmt.Fprintf(r.Log, "weft: %s: %v\n", r.Command, err) // there is nobody else to tell
	}
}
