package fabric

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/types"
)

// agentTimeout bounds the request to the agent, and answerSize its answer in
// bytes.
const (
	agentTimeout = 2 * time.Second
	answerSize   = 64 << 10
)

// Status answers the spec's STATUS: nil if an Add would succeed and its
// container be reachable. Without a subnet of this host the error has code 50.
// With a subnet but without a ready agent it has code 51: containers can be
// added, but routes to other hosts are not kept up to date.
func Status(ctx context.Context, subnetFile, runDir string) error {
	if _, err := Subnets(subnetFile); err != nil {
		return Unavailable(err)
	}
	if err := ready(ctx, filepath.Join(runDir, socketName)); err != nil {
		return types.NewError(types.ErrLimitedConnectivity, err.Error(), "ask it with: weft status")
	}
	return nil
}

// Unavailable returns err with the code that STATUS has for it, 50, if an Add
// would have to be tried again or the subnet file is the cause.
func Unavailable(err error) error {
	known, ok := errors.AsType[*types.Error](err)
	if !ok || known.Code != types.ErrTryAgainLater && known.Code != types.ErrIOFailure {
		return err
	}
	return types.NewError(types.ErrPluginNotAvailable, known.Msg, known.Details)
}

// socketName and readyPath are those of package api, which is too slow to
// initialize to be imported here.
const (
	socketName = "weft.sock"
	readyPath  = "/readyz"
)

// ready asks the agent that listens on socket whether it is ready.
func ready(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	answer, err := get(ctx, socket)
	if err != nil {
		return fmt.Errorf("no weft agent answers on %s: %w", socket, err)
	}
	status, body, err := parse(answer)
	switch {
	case err != nil:
		return fmt.Errorf("the agent on %s: %w", socket, err)
	case status != "200":
		return fmt.Errorf("the agent on %s answers %s: %s", socket, status, body)
	}
	return nil
}

// get requests readyPath and returns the whole answer. HTTP/1.0 is enough:
// importing net/http would cost each call of a plugin more than the request.
func get(ctx context.Context, socket string) (answer []byte, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // all has been read
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, "GET "+readyPath+" HTTP/1.0\r\nHost: agent\r\n\r\n"); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(conn, answerSize))
}

// parse splits an answer: "HTTP/1.0 503 Service Unavailable", headers, an
// empty line, one sentence.
func parse(answer []byte) (status, sentence string, err error) {
	head, body, ok := bytes.Cut(answer, []byte("\r\n\r\n"))
	first, _, _ := bytes.Cut(head, []byte("\r\n"))
	words := strings.Fields(string(first))
	if !ok || len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/1.") {
		return "", "", errors.New("the answer is not HTTP")
	}
	return words[1], strings.Join(strings.Fields(string(body)), " "), nil
}
