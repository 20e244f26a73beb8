package page

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// mostCompressed is the budget of the whole page, in bytes.
const mostCompressed = 200 << 10

func TestPageIsSmall(t *testing.T) {
	total := 0
	files := os.DirFS("../../web/dist")
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
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

// serveMany serves a page of so many hosts, of which so many agents answer.
func serveMany(t *testing.T, hosts, answering int) string {
	t.Helper()
	return serve(t, os.Environ(), programs+"/manyhosts", "-hosts="+strconv.Itoa(hosts), "-answering="+strconv.Itoa(answering))
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
