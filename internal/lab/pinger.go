package lab

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	// pingInterval is the pace of counted pings.
	pingInterval = 10 * time.Millisecond
	// pingGrace is how long replies to a number of pings may take before they count as lost.
	pingGrace = time.Second
	// seriesGrace is the same for pings that go on until they are stopped, of which none must be
	// lost: a busy machine may stand still for longer than pingGrace.
	seriesGrace = 10 * time.Second
)

// Pinger pings one address at a fixed rate until it is stopped, so that a test can tell whether packets
// were lost during something else.
type Pinger struct {
	socket *echoSocket
	stop   chan struct{}
	once   sync.Once
	sender chan struct{} // closed when the sender has ended
	reader chan struct{} // closed when the reader has ended

	mu      sync.Mutex
	tally   Tally
	open    map[uint64]time.Time // when pings without a reply were sent
	first   time.Time            // when the first ping was sent
	last    time.Time            // of the last reply
	settled chan struct{}        // holds one token when a reply came in
	limit   int                  // number of pings to send; 0: until stopped
}

// Ping sends count pings from the node and waits for the replies, up to a second after the last
// ping. When ctx ends it sends no more and returns what there is.
func (n *Node) Ping(ctx context.Context, to netip.Addr, count int) (Tally, error) {
	p, err := n.startPinger(to, pingInterval, count)
	if err != nil {
		return Tally{}, err
	}
	select {
	case <-p.sender:
	case <-ctx.Done():
	}
	return p.Stop(), ctx.Err()
}

// StartPinger pings from the node at the given interval until Stop: see PaceVariable.
func (n *Node) StartPinger(to netip.Addr, interval time.Duration) (*Pinger, error) {
	return n.startPinger(to, interval, 0)
}

func (n *Node) startPinger(to netip.Addr, interval time.Duration, limit int) (*Pinger, error) {
	socket, err := n.openEcho(to)
	if err != nil {
		return nil, err
	}
	p := &Pinger{
		socket: socket, limit: limit,
		stop: make(chan struct{}), sender: make(chan struct{}), reader: make(chan struct{}),
		settled: make(chan struct{}, 1),
		open:    map[uint64]time.Time{},
	}
	go p.send(paced(interval))
	go p.receive()
	return p, nil
}

// Stop ends the pings, waits for replies still under way, and returns the count: up to a second if
// their number was limited, else up to ten. A second call returns the same.
func (p *Pinger) Stop() Tally {
	p.once.Do(func() {
		close(p.stop)
		<-p.sender
		grace := time.NewTimer(p.grace())
		defer grace.Stop()
		for p.unanswered() > 0 {
			select {
			case <-p.settled:
				continue
			case <-grace.C:
			}
			break
		}
		_ = p.socket.conn.Close() // ends the reader; there is nothing to flush
		<-p.reader
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.lost(p.open, p.first)
	return p.tally
}

func (p *Pinger) grace() time.Duration {
	if p.limit == 0 {
		return seriesGrace
	}
	return pingGrace
}

func (p *Pinger) unanswered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// Received is the number of replies so far.
func (p *Pinger) Received() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tally.Received
}

func (p *Pinger) send(interval time.Duration) {
	defer close(p.sender)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for seq := uint64(0); p.limit == 0 || seq < uint64(p.limit); seq++ {
		p.sending(seq)
		if err := p.socket.send(seq); err != nil {
			p.refused(seq, err)
		}
		select {
		case <-p.stop:
			return
		case <-ticker.C:
		}
	}
}

func (p *Pinger) sending(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Sent++
	p.open[seq] = time.Now()
	if seq == 0 {
		p.first = p.open[seq]
	}
}

// refused notes a ping that never left: no reply to it need be waited for.
func (p *Pinger) refused(seq uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, seq)
	if p.tally.SendErr == nil {
		p.tally.SendErr = err
	}
}

func (p *Pinger) receive() {
	defer close(p.reader)
	buffer := make([]byte, 1500)
	for {
		seq, err := p.socket.receive(buffer)
		if err != nil {
			return
		}
		p.answered(seq, time.Now())
		select {
		case p.settled <- struct{}{}:
		default: // Stop has not read the last token yet, and will check again.
		}
	}
}

func (p *Pinger) answered(seq uint64, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.open[seq]; !ok {
		return // a duplicate
	}
	delete(p.open, seq)
	p.tally.Received++
	if !p.last.IsZero() {
		p.tally.Gap = max(p.tally.Gap, at.Sub(p.last))
	}
	p.last = at
}
