package page

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/page"
	"github.com/weft-net/weft/web"
)

// mostCompressed is the budget of the whole page, in bytes.
const mostCompressed = 200 << 10

func TestPageIsSmall(t *testing.T) {
	total := 0
	err := fs.WalkDir(web.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(web.Files(), path)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(data); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		total += packed.Len()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the page has %d kB compressed, of %d", total>>10, mostCompressed>>10)
	if total > mostCompressed {
		t.Errorf("the page has %d bytes compressed, more than %d", total, mostCompressed)
	}
}

// network is the agent of a made-up network: hosts on segments of up to 250, of which
// some do not answer. Each look measures anew.
type network struct {
	hosts int
	look  atomic.Int64
}

func (n *network) Events(context.Context, int64) ([]api.Event, error) { return nil, nil }

func (n *network) Status(context.Context) (api.Status, error) { return n.from(0), nil }

// dead is a host that nobody reaches, on a network on which all are asked.
const dead = 117

func name(i int) string { return fmt.Sprintf("node-%05d", i) }

func subnet(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + i/256), byte(i % 256), 0}), 24)
}

func (n *network) public(i int) netip.Addr {
	size := min(250, n.hosts/4) // of a segment
	return netip.AddrFrom4([4]byte{172, 16, byte(i / size), byte(1 + i%size)})
}

// from is the status of host i.
func (n *network) from(i int) api.Status {
	look := n.look.Add(1)
	segment := netip.PrefixFrom(n.public(i), 24).Masked()
	s := api.Status{Hostname: name(i), Version: "v1.4.0", State: api.StateReady, Ready: true, Backend: "vxlan", Direct: true, Store: api.StoreState{Kind: "etcd", Up: true}}
	s.Network = []netip.Prefix{netip.MustParsePrefix("10.64.0.0/10")}
	s.Uplink = api.Uplink{Name: "eth0", OnLink: []netip.Prefix{segment}}
	s.Lease = api.Lease{Subnets: []netip.Prefix{subnet(i)}, Public: []netip.Addr{n.public(i)}, Held: true, MTU: 1450}
	for j := range n.hosts {
		if j == i {
			continue
		}
		p := api.Peer{Name: name(j), Version: "v1.4.0", Subnets: []netip.Prefix{subnet(j)}, Public: []netip.Addr{n.public(j)}, Backend: "vxlan", OnLink: []netip.Prefix{netip.PrefixFrom(n.public(j), 24).Masked()}}
		path := api.Path{Subnet: subnet(j), Kind: "vxlan", Reach: api.Reach{State: api.ReachPasses, RTT: time.Duration(400+(int64(i*7+j*13)+look)%90) * time.Microsecond}}
		if segment.Contains(n.public(j)) {
			path.Kind, path.Reach.RTT = "direct", path.Reach.RTT/4
		}
		switch bad := (i*31 + j) % 4999; {
		case i == dead || j == dead, bad == 7:
			path.Reach.State, path.Reach.Answered = api.ReachLost, time.Now().Add(-time.Minute)
		case bad == 11:
			path.Reach.Loss = 0.06
		}
		p.Paths = []api.Path{path}
		s.Peers = append(s.Peers, p)
	}
	return s
}

// other is another host of it, whose agent answers.
type other struct {
	*network
	i int
}

func (o other) Status(context.Context) (api.Status, error) { return o.from(o.i), nil }

// serveMany serves a page of so many hosts, of which so many agents answer.
func serveMany(t *testing.T, hosts, answering int) string {
	t.Helper()
	n := &network{hosts: hosts}
	server, err := page.Listen(0, page.Source{
		Agents: func(context.Context) ([]page.Agent, error) {
			out := []page.Agent{{Host: name(0), Asker: n}}
			for i := 1; i < answering; i++ {
				out = append(out, page.Agent{Host: name(i), Asker: other{n, i}})
			}
			return out, nil
		},
		Run: func(context.Context, string, []byte, ...string) (page.Output, error) {
			return page.Output{Stderr: []byte("there is no host behind this page")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server.URL()
}

// frames scrolls the map for a second and returns the times between frames, in milliseconds.
const frames = `new Promise(done => {
	const el = document.querySelector('.scroller'), times = []
	let last = performance.now(), y = 0
	const step = now => {
		times.push(now - last); last = now
		el.scrollTop = (y += 40) % Math.max(1, el.scrollHeight - el.clientHeight)
		if (times.length < 90) requestAnimationFrame(step)
		else { times.sort((a, b) => a - b); done([times[45], times[85]]) }
	}
	requestAnimationFrame(step)
})`

func TestTenThousandHosts(t *testing.T) {
	b := open(t, serveMany(t, 10_000, 1), 1280, 800)
	shown := b.await("10,000 hosts", `document.querySelector('.scroller')?.dataset.hosts === '10000'`)
	paint := value[float64](b, `performance.getEntriesByType('paint').find(e => e.name === 'first-contentful-paint')?.startTime ?? 0`)
	scroll := value[[]float64](b, frames)
	t.Logf("10,000 hosts: first paint after %.0f ms, all hosts after %s; a frame while scrolling takes %.0f ms, of 20 one %.0f ms", paint, seconds(shown), scroll[0], scroll[1])
	b.do(chromedp.SendKeys(`.toolbar input[type=search]`, "node-0777", chromedp.ByQuery))
	t.Logf("a search shows its ten hosts after %s", seconds(b.await("the hosts of a search", `document.querySelectorAll('.chip').length === 10`)))
	b.do(chromedp.SendKeys(`.toolbar input[type=search]`, "\r", chromedp.ByQuery))
	b.await("the drawer of the first", `document.querySelector('.drawer')?.getAttribute('aria-label') === 'node-07770'`)
	b.await("that its state is unknown, since its agent was not asked", `document.querySelector('.drawer h2').innerText.includes('unknown')`)
	b.view("matrix")
	b.await("the matrix", `document.querySelector('canvas.grid') !== null`)
}

func TestTwoHundredHosts(t *testing.T) {
	b := open(t, serveMany(t, 200, 200), 1280, 800)
	b.await("200 hosts", `document.querySelector('.scroller')?.dataset.hosts === '200'`)
	b.do(chromedp.Click(`.summary button.bad`, chromedp.ByQuery))
	b.await("a host that nobody reaches", `document.querySelector('.chip.hub')?.dataset.host === 'node-00117'`)
	b.do(chromedp.Click(`.toolbar input[type=checkbox]`, chromedp.ByQuery))
	b.view("matrix")
	b.await("the matrix", `document.querySelector('.scroller')?.dataset.hosts === '200' && document.querySelector('canvas.grid').width > 100`)
	b.do(chromedp.Focus(`canvas.grid`, chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight))
	b.await("the path under the cursor", `document.querySelector('.readout').innerText.includes('node-00002 → node-00001: direct')`)
	b.shot("matrix")
}
