package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

// dialTimeout bounds a connect to the local socket; maxAnswer is the maximum size
// of an answer in bytes (30,000 peers are some 15 MB).
const (
	dialTimeout = 2 * time.Second
	maxAnswer   = 256 << 20
)

// NotRunningError says that no agent answers on the socket.
type NotRunningError struct {
	Socket string
	Err    error
}

// Error names the socket.
func (e *NotRunningError) Error() string {
	return fmt.Sprintf("no agent answers on %s", e.Socket)
}

// Unwrap returns the cause.
func (e *NotRunningError) Unwrap() error { return e.Err }

// Hint says how to start an agent, or to find the one meant.
func (e *NotRunningError) Hint() string {
	return "start one with 'weft up', or name its directory with --run-dir"
}

// DeniedError says that the socket belongs to another user.
type DeniedError struct {
	Socket string
	Err    error
}

// Error names the socket.
func (e *DeniedError) Error() string {
	return fmt.Sprintf("not allowed to talk to the agent on %s", e.Socket)
}

// Unwrap returns the cause.
func (e *DeniedError) Unwrap() error { return e.Err }

// Hint says how to get access.
func (e *DeniedError) Hint() string { return "run as root, for example: sudo weft status" }

// Client talks to a running agent.
type Client struct {
	name  string // where the agent answers, for messages
	limit int64  // bytes of an answer
	http  *http.Client
}

// NewClient returns a client of the agent that name says for messages and dial
// connects to. It reads no answer of more than limit bytes.
func NewClient(name string, limit int64, dial func(context.Context) (net.Conn, error)) *Client {
	transport := &http.Transport{
		DisableCompression: true,
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}
	return &Client{name: name, limit: limit, http: &http.Client{Transport: transport}}
}

// Dial returns a client of the agent behind socket. If none answers there,
// the error is a *NotRunningError or a *DeniedError.
func Dial(ctx context.Context, socket string) (*Client, error) {
	conn, err := connect(ctx, socket)
	if err != nil {
		return nil, err
	}
	_ = conn.Close() // it answered, which is all this connection was for
	return NewClient(socket, maxAnswer, func(ctx context.Context) (net.Conn, error) { return connect(ctx, socket) }), nil
}

// DialDir is Dial with the socket in an agent's run directory.
func DialDir(ctx context.Context, runDir string) (*Client, error) {
	return Dial(ctx, filepath.Join(runDir, SocketName))
}

func connect(ctx context.Context, socket string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "unix", socket)
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, &DeniedError{Socket: socket, Err: err}
	case err != nil:
		return nil, &NotRunningError{Socket: socket, Err: err}
	}
	return conn, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks the agent how it is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.Document(ctx, pathStatus, &s)
	return s, err
}

// Document asks for a JSON document and decodes it into to.
func (c *Client) Document(ctx context.Context, path string, to any) error {
	return c.get(ctx, path, func(body io.Reader) error { return json.NewDecoder(body).Decode(to) })
}

// Plan asks for the agent's desired state.
func (c *Client) Plan(ctx context.Context) (*netstate.State, error) {
	var plan *netstate.State
	err := c.get(ctx, pathPlan, func(body io.Reader) (err error) {
		plan, err = netstate.Parse(body)
		return err
	})
	return plan, err
}

func (c *Client) get(ctx context.Context, path string, read func(io.Reader) error) error {
	return c.ask(ctx, http.MethodGet, path, read)
}

func (c *Client) ask(ctx context.Context, method, path string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the agent on %s for %s: %w", c.name, path, err)
	}
	defer resp.Body.Close()
	body := &io.LimitedReader{R: resp.Body, N: c.limit}
	if resp.StatusCode != http.StatusOK {
		return refusal(path, resp.Status, body)
	}
	err = read(body)
	if err != nil && body.N <= 0 {
		err = fmt.Errorf("it has more than %d bytes", c.limit)
	}
	if err != nil {
		return fmt.Errorf("read the agent's answer to %s: %w", path, err)
	}
	return nil
}

// RefusedError is the agent's own answer that it cannot do what was asked.
type RefusedError struct{ Message, Advice string }

// Error is the agent's sentence.
func (e *RefusedError) Error() string { return e.Message }

// Hint is the agent's advice, "" if it has none.
func (e *RefusedError) Hint() string { return e.Advice }

func refusal(path, status string, body io.Reader) error {
	var f failure
	if json.NewDecoder(body).Decode(&f) != nil || f.Error == "" {
		f.Error = fmt.Sprintf("the agent answered %s to %s", status, path)
	}
	return &RefusedError{Message: f.Error, Advice: f.Hint}
}
