package etcdtest

import (
	"net"
	"sync"
)

// Proxy is a line to a server that can be cut, or frozen: then it stays up and
// carries nothing, like a host that lost its power.
type Proxy struct {
	target string
	listen net.Listener
	wg     sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	down    bool
	thaw    chan struct{} // closed while not frozen
	closed  bool
	refused chan struct{} // one token for a connection that was refused
}

// NewProxy listens on a free port of the loopback and connects to target.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listen: l, conns: map[net.Conn]bool{}, thaw: make(chan struct{}), refused: make(chan struct{}, 1000)}
	close(p.thaw)
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is host:port.
func (p *Proxy) Addr() string { return p.listen.Addr().String() }

// Cut closes all connections and refuses new ones, until Mend.
func (p *Proxy) Cut() { p.setDown(true) }

// Mend ends Cut.
func (p *Proxy) Mend() { p.setDown(false) }

func (p *Proxy) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	if down {
		p.dropAll()
	}
}

func (p *Proxy) dropAll() {
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// Refused has one token for each connection that Cut kept away.
func (p *Proxy) Refused() <-chan struct{} { return p.refused }

// Freeze stops carrying bytes, on old connections and new ones, until Thaw.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thaw = make(chan struct{})
}

// Thaw ends Freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.thaw)
}

// Close ends the proxy and waits for it. It must not be frozen.
func (p *Proxy) Close() {
	p.listen.Close()
	p.mu.Lock()
	p.closed = true
	p.dropAll()
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		in, err := p.listen.Accept()
		if err != nil {
			return
		}
		if !p.track(in) {
			continue
		}
		p.wg.Go(func() { p.carry(in) })
	}
}

// track keeps c to be cut, or closes it if the line is down.
func (p *Proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down || p.closed {
		c.Close()
		select {
		case p.refused <- struct{}{}:
		default:
		}
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", p.target)
	if err != nil || !p.track(out) {
		return
	}
	defer out.Close()
	var both sync.WaitGroup
	both.Go(func() { p.copy(out, in) })
	both.Go(func() { p.copy(in, out) })
	both.Wait()
}

func (p *Proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		thaw := p.thaw
		p.mu.Unlock()
		<-thaw
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
