package holder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Verbs of a Request.
const (
	verbExec   = "exec"
	verbSignal = "signal" // only while an exec runs, on its connection
	verbStatus = "status"
	verbDown   = "down"
	verbCut    = "cut"
	verbMend   = "mend"
	verbUnsum  = "checksums"
	verbDial   = "dial" // answered with a connection to the host's agent
)

// request is one line of JSON from a client.
type request struct {
	Verb   string   `json:"verb"`
	Node   string   `json:"node,omitempty"` // host or pod, to cut and mend host or segment
	Args   []string `json:"args,omitempty"`
	Env    []string `json:"env,omitempty"`
	Dir    string   `json:"dir,omitempty"`
	Signal int      `json:"signal,omitempty"`
}

// reply is the one line of JSON that answers a connection's first request.
type reply struct {
	Error  string  `json:"error,omitempty"`
	Exit   int     `json:"exit,omitempty"` // exit code of the program
	Status *Status `json:"status,omitempty"`
}

// Status is what there is to know of a held lab.
type Status struct {
	Hosts    []HostStatus `json:"hosts"`
	Segments []string     `json:"segments"`
	Cut      []string     `json:"cut"`                // hosts and segments
	Unsummed []string     `json:"unsummed,omitempty"` // hosts whose uplinks leave checksums in tunnels undone
}

// HostStatus is one host of a held lab.
type HostStatus struct {
	Name    string   `json:"name"`
	Segment string   `json:"segment"`
	Addrs   []string `json:"addrs"`
	Subnets []string `json:"subnets"` // from subnet.env; none before an agent wrote it
	Pods    []string `json:"pods"`
	Agent   string   `json:"agent"` // "running", "ended", "none"
}

const (
	maxMessage = 1 << 20 // bytes
	stdioCount = 3       // files that come with an exec request
)

func send(conn *net.UnixConn, message any, files ...*os.File) error {
	line, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode a message for the lab: %w", err)
	}
	line = append(line, '\n')
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		n, _, err := conn.WriteMsgUnix(line, unix.UnixRights(fds...), nil)
		if err != nil {
			return fmt.Errorf("send files to the lab: %w", err)
		}
		line = line[n:]
	}
	if len(line) == 0 {
		return nil // the answer may be here already, and the other end closed
	}
	if _, err := conn.Write(line); err != nil {
		return fmt.Errorf("send to the lab: %w", err)
	}
	return nil
}

// receive reads a line into message, with the files that come along, which the caller must close,
// also when there is an error.
func receive(conn *net.UnixConn, message any) (files []*os.File, err error) {
	var line []byte
	buffer := make([]byte, 64<<10)
	control := make([]byte, unix.CmsgSpace(stdioCount*4))
	for !bytes.HasSuffix(line, []byte("\n")) {
		n, controlSize, _, _, err := conn.ReadMsgUnix(buffer, control)
		if err != nil {
			return files, fmt.Errorf("read a message: %w", err)
		}
		got, err := filesFrom(control[:controlSize])
		files = append(files, got...)
		switch {
		case err != nil:
			return files, err
		case n == 0:
			return files, io.ErrUnexpectedEOF
		case len(line)+n > maxMessage:
			return files, errors.New("the message is too long")
		}
		line = append(line, buffer[:n]...)
	}
	if err := json.Unmarshal(line, message); err != nil {
		return files, fmt.Errorf("read a message: %w", err)
	}
	return files, nil
}

func filesFrom(control []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("read the files of a message: %w", err)
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, fmt.Errorf("read the files of a message: %w", err)
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "stdio"))
		}
	}
	return files, nil
}
