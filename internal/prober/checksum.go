package prober

import (
	"time"

	"github.com/weft-net/weft/internal/kernel/echo"
	"github.com/weft-net/weft/internal/probe"
)

// tryChecksums brings the engine what was refused of its trials, and sends what it
// asks for.
func (p *Prober) tryChecksums() {
	if p.wire == nil {
		return
	}
	p.wire.Refused(func(r echo.Refusal) { p.engine.Refused(r.ID, r.TCP, r.From) })
	for _, t := range p.engine.Trials(time.Now()) {
		if err := p.wire.Try(trialOf(t)); err != nil {
			p.engine.Unsent(t.ID)
		}
	}
}

func trialOf(t probe.Trial) echo.Trial {
	to := t.Target
	return echo.Trial{
		ID: t.ID, TCP: t.TCP, Offload: t.Offload, Source: to.Source, Dest: to.Dest,
		Way: echo.Way{Dev: to.Dev, MAC: to.MAC, Next: to.Remote},
	}
}

// Checksums returns what is known of the checksums of packets that leave by this
// host's tunnels. It is safe for concurrent use.
func (p *Prober) Checksums() []probe.ChecksumReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.engine.ChecksumReports()
}
