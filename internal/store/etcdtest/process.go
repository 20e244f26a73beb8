// Package etcdtest gives tests a real etcd, the program of the Debian package
// etcd-server, alone or as a cluster of three, on free ports of the loopback,
// and a way to cut the line to it. It is for tests alone, and stops only what
// it started.
package etcdtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Process is a running etcd.
type Process struct {
	dir     string // of its data, in a directory called name, and of its members' sockets
	name    string
	cluster string // all its members, as --initial-cluster takes them
	addr    string
	args    []string
	cmd     *exec.Cmd
	gone    chan struct{} // closed when it has exited
	last    string        // what it said last; read after gone
}

// startTimeout is how long etcd may take until it serves clients.
const startTimeout = 20 * time.Second

// Start runs etcd on a free port with its data in dir and returns when it
// serves. args are further arguments; with --cert-file it serves TLS.
func Start(dir string, args ...string) (*Process, error) {
	p := member(dir, "test", args)
	p.cluster = p.entry()
	return p, p.run()
}

func member(dir, name string, args []string) *Process {
	return &Process{dir: dir, name: name, addr: "127.0.0.1:0", args: args}
}

// peerURL is a socket in dir, by which members reach each other: no port has
// to be chosen before they run.
func (p *Process) peerURL() string { return "unix://" + p.name + ":1" }

func (p *Process) entry() string { return p.name + "=" + p.peerURL() }

// URL is for clients.
func (p *Process) URL() string { return p.scheme() + p.addr }

// Addr is host:port.
func (p *Process) Addr() string { return p.addr }

// Restart stops etcd and starts it on the same port and data.
func (p *Process) Restart() error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.run()
}

// Kill ends etcd as if its machine had died, and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.gone
}

// Stop ends etcd and waits for it.
func (p *Process) Stop() error {
	if p.gone == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping etcd, process %d: %w", p.cmd.Process.Pid, err)
	}
	late := time.AfterFunc(5*time.Second, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	<-p.gone
	return nil
}

// Start again after Stop.
func (p *Process) Start() error { return p.run() }

func (p *Process) scheme() string {
	if slices.Contains(p.args, "--cert-file") {
		return "https://"
	}
	return "http://"
}

func (p *Process) run() error {
	bin, err := exec.LookPath("etcd")
	if err != nil {
		return fmt.Errorf("these tests need the program etcd: apt-get install etcd-server (%w)", err)
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	client := p.scheme() + p.addr
	p.cmd = exec.Command(bin, append([]string{
		"--name", p.name, "--data-dir", p.name,
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", p.peerURL(), "--initial-advertise-peer-urls", p.peerURL(), "--initial-cluster", p.cluster,
		"--heartbeat-interval", "100", "--election-timeout", "500",
		"--logger", "zap", "--log-outputs", "stderr", "--enable-grpc-gateway=false",
	}, p.args...)...)
	p.cmd.Dir = p.dir
	// A test binary that is killed takes its etcd along. (The kernel means
	// the thread: do not start one from a goroutine that is locked to a
	// thread and ends before etcd should.)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	p.gone = make(chan struct{})
	serving := make(chan string, 1)
	go p.watch(log, serving)
	select {
	case p.addr = <-serving:
		return nil
	case <-p.gone:
		return fmt.Errorf("etcd ended at once: %s", p.last)
	case <-time.After(startTimeout):
		return errors.Join(fmt.Errorf("etcd did not serve within %v", startTimeout), p.Stop())
	}
}

// watch reads etcd's log until it ends, and says where it serves.
func (p *Process) watch(log io.Reader, serving chan<- string) {
	defer close(p.gone)
	scan := bufio.NewScanner(log)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		p.last = scan.Text()
		var line struct{ Msg, Address string }
		if json.Unmarshal(scan.Bytes(), &line) == nil && strings.HasPrefix(line.Msg, "serving client traffic") {
			select {
			case serving <- line.Address:
			default:
			}
		}
	}
	io.Copy(io.Discard, log) // a line too long must not block etcd
	p.cmd.Wait()
}
