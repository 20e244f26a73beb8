package holder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Program is what Exec runs.
type Program struct {
	Node  string // host or pod
	Args  []string
	Env   []string // base environment, "KEY=value"
	Dir   string
	Stdio [stdioCount]*os.File // lent to the program
}

// Exec runs a program in the lab, hands signals on to it, and returns its exit code. The caller
// closes signals, if at all, only after Exec has returned.
func (p Place) Exec(program Program, signals <-chan os.Signal) (int, error) {
	conn, err := p.dial()
	if err != nil {
		return 0, err
	}
	defer conn.Close() // an error would come after the answer
	r := request{Verb: verbExec, Node: program.Node, Args: program.Args, Env: program.Env, Dir: program.Dir}
	if err := send(conn, r, program.Stdio[:]...); err != nil {
		return 0, err
	}
	answers := make(chan reply, 1)
	failed := make(chan error, 1)
	go func() {
		answer, err := receiveReply(conn)
		if err != nil {
			failed <- err
			return
		}
		answers <- answer
	}()
	for {
		select {
		case answer := <-answers:
			return answer.Exit, nil
		case err := <-failed:
			return 0, err
		case s := <-signals:
			if number, ok := s.(unix.Signal); ok {
				// If the connection is gone, receiveReply says so.
				_ = send(conn, request{Verb: verbSignal, Signal: int(number)})
			}
		}
	}
}

// Status asks the held lab how it is.
func (p Place) Status() (*Status, error) {
	answer, err := p.ask(request{Verb: verbStatus})
	return answer.Status, err
}

// Cut cuts a host's uplink, or a whole segment. All devices stay up.
func (p Place) Cut(name string) error {
	_, err := p.ask(request{Verb: verbCut, Node: name})
	return err
}

// BreakChecksums has a host's uplink not complete the checksums of what is in a
// tunnel.
func (p Place) BreakChecksums(host string) error {
	_, err := p.ask(request{Verb: verbUnsum, Node: host})
	return err
}

// Mend undoes Cut and BreakChecksums. It is no error if nothing was cut.
func (p Place) Mend(name string) error {
	_, err := p.ask(request{Verb: verbMend, Node: name})
	return err
}

// Dial connects to the agent of a host.
func (p Place) Dial(host string) (net.Conn, error) {
	conn, err := p.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close() // an error would come after the answer
	if err := send(conn, request{Verb: verbDial, Node: host}); err != nil {
		return nil, err
	}
	var answer reply
	files, err := receive(conn, &answer)
	defer closeAll(files)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the lab's answer: %w", err)
	case answer.Error != "":
		return nil, errors.New(answer.Error)
	case len(files) != 1:
		return nil, fmt.Errorf("the lab sent %d connections to %s, not 1", len(files), host)
	}
	return net.FileConn(files[0])
}

// Down ends the held lab and waits until nothing is left of it. ErrNotRunning if there is none.
func (p Place) Down() error {
	if _, err := p.ask(request{Verb: verbDown}); err != nil {
		return err
	}
	return p.AwaitEnd()
}

func (p Place) ask(r request) (reply, error) {
	conn, err := p.dial()
	if err != nil {
		return reply{}, err
	}
	defer conn.Close() // an error would come after the answer
	if err := send(conn, r); err != nil {
		return reply{}, err
	}
	return receiveReply(conn)
}

// receiveReply reads the answer; a refusal becomes an error.
func receiveReply(conn io.Reader) (reply, error) {
	var answer reply
	err := json.NewDecoder(conn).Decode(&answer)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
		return reply{}, errors.New("the lab ended")
	case err != nil:
		return reply{}, fmt.Errorf("read the lab's answer: %w", err)
	case answer.Error != "":
		return reply{}, errors.New(answer.Error)
	}
	return answer, nil
}

func (p Place) dial() (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: p.Socket(), Net: "unix"})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return nil, ErrNotRunning
	case err != nil:
		return nil, fmt.Errorf("reach the lab: %w", err)
	}
	return conn, nil
}
