package page

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// red finds lines that the map draws for paths without an answer.
func red(host string) string {
	return fmt.Sprintf(`document.querySelectorAll('.link[data-health="lost"][data-from="%[1]s"],.link[data-health="lost"][data-to="%[1]s"]').length`, host)
}

func TestLab(t *testing.T) {
	m := newLab(t)
	b := open(t, serve(t, m.env, programs+"/weft", "lab", "ui", "--no-open"), 1280, 800)
	b.await("four hosts that are ready", `document.querySelectorAll('.chip[data-state="ready"]').length === 4`)
	b.await("two segments", `document.querySelectorAll('.segment').length === 2`)
	b.await("twelve paths of which none is lost", `document.querySelectorAll('.link').length >= 6 && document.querySelector('.summary .bad') === null`)
	b.await("that all paths have been measured: what never answered is not lost", `document.querySelector('.link[data-health="unknown"]') === null`)
	b.do(chromedp.Evaluate(`window.well = Date.now()`, nil), chromedp.Click(`[data-cut="h3"]`))
	t.Logf("a cut cable turned its links red after %s", seconds(b.await("red links of h3", red("h3")+` > 0`)))
	b.await("that all six paths are lost", red("h3")+` >= 3 && document.querySelector('.summary .bad').innerText.startsWith('6 ')`)
	b.do(chromedp.Click(`.chip[data-host="h3"]`))
	b.await("the host's drawer", `document.querySelector('.drawer .paths tr.h-lost') !== null`)
	b.shot("map")
	b.dark(true)
	b.await("a dark page", `getComputedStyle(document.body).backgroundColor === 'rgb(15, 19, 24)'`)
	b.dark(false)
	earlier(b)
	b.do(chromedp.Click(`[data-cut="h3"]`))
	t.Logf("mended links were no longer red after %s", seconds(b.await("no red link", red("h3")+` === 0`)))

	repair(t, m, b)
	explainDrop(t, m, b)
	planAndDrift(b)
	preflight(b)
	words(b)
}

// earlier shows the moment at which all was well, and goes back to now; by keys, it
// goes from a host to the one below.
func earlier(b *tab) {
	b.t.Helper()
	b.do(chromedp.Evaluate(`(() => {
		const track = document.querySelector('.track input')
		track.value = Number(track.min) + Math.floor((well - Number(track.min)) / 1000) * 1000
		track.dispatchEvent(new Event('input', {bubbles: true}))
	})()`, nil))
	b.await("a moment that is past", `document.querySelector('.notice.past') !== null`)
	b.await("no red link then", red("h3")+` === 0`)
	b.do(chromedp.Click(`.notice.past button`, chromedp.ByQuery))
	b.await("red links now", red("h3")+` >= 3`)
	b.do(chromedp.Focus(`.chip[data-host="h1"]`, chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowDown))
	b.await("the focus on h2", `document.activeElement.dataset.host === 'h2'`)
}

// go to a view by its key.
func (b *tab) view(name string) {
	b.t.Helper()
	b.do(chromedp.Evaluate(fmt.Sprintf(`location.hash = "#/%s"`, name), nil))
	b.await("the view "+name, fmt.Sprintf(`document.querySelector('.nav a[href="#/%s"]').ariaCurrent === 'page' || document.querySelector('.nav a[href="#/%s"]').getAttribute('aria-current') === 'page'`, name, name))
}

func repair(t *testing.T, m *machine, b *tab) {
	m.on("h1", "sh", "-c", "ip route del $(ip -4 route show proto 119 | head -n 1 | cut -d' ' -f 1)")
	b.view("events")
	took := b.await("a repair with the process that made it necessary", `[...document.querySelectorAll('tr[data-kind="drift"] .by')].some(e => /^ip\[\d+\]$/.test(e.textContent))`)
	t.Logf("a repair appeared with its culprit after %s", seconds(took))
}

func explainDrop(t *testing.T, m *machine, b *tab) {
	m.on("h1", "nft", "add", "table", "ip", "mine")
	m.on("h1", "nft", "add", "chain", "ip", "mine", "byhand", "{ type filter hook forward priority 0; }")
	pods := podAddrs(t, m)
	m.on("h1", "nft", "add", "rule", "ip", "mine", "byhand", "ip", "daddr", pods["p3"], "drop", "comment", `"blocked by hand"`)
	t.Cleanup(func() { m.on("h1", "nft", "delete", "table", "ip", "mine") })
	b.view("explain")
	b.do(chromedp.SendKeys(`[name=src]`, pods["p1"], chromedp.ByQuery),
		chromedp.SendKeys(`[name=dst]`, pods["p3"], chromedp.ByQuery), chromedp.Click(`.ask button.primary`, chromedp.ByQuery))
	b.await("the rule that drops", `document.querySelector('.station[data-state=broken]')?.innerText.includes('blocked by hand')`)
	b.await("a remedy", `document.querySelector('.station[data-state=broken] .remedy') !== null`)
	b.shot("explain")
}

// podAddrs are the addresses of the lab's pods.
func podAddrs(t *testing.T, m *machine) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pod := range []string{"p1", "p2", "p3", "p4"} {
		words := strings.Fields(m.on(pod, "sh", "-c", "ip -4 -br addr show scope global"))
		if len(words) < 3 {
			t.Fatalf("%s has no address: %v", pod, words)
		}
		out[pod], _, _ = strings.Cut(words[2], "/")
	}
	return out
}

func planAndDrift(b *tab) {
	b.view("plan")
	b.await("that the kernel is as planned", `document.querySelector('.empty.good') !== null`)
	b.do(chromedp.Click(`.tabs button:last-child`, chromedp.ByQuery))
	b.await("the desired state", `document.querySelectorAll('.rows tr').length > 10`)
}

func preflight(b *tab) {
	b.view("config")
	b.await("the config", `document.querySelector('textarea').value.includes('10.42.0.0/16')`)
	change := `(() => { const a = document.querySelector('textarea'); a.value = JSON.stringify({Network: "10.42.0.0/16", Backend: {Type: "host-gw"}}, null, 2); a.dispatchEvent(new Event('input', {bubbles: true})) })()`
	b.do(chromedp.Evaluate(change, nil), chromedp.Click(`.pane button.primary`, chromedp.ByQuery))
	b.await("hosts that would be cut off", `document.querySelectorAll('.impact.bad li').length === 4`)
	b.shot("preflight")
}

func words(b *tab) {
	b.view("map")
	b.await("the plot of a path", `document.querySelector('.drawer .plot canvas') !== null`)
	b.shot("host")
	b.do(chromedp.Click(`.header button.quiet`, chromedp.ByQuery))
	b.await("Chinese", `document.querySelector('.nav').innerText.includes('拓扑')`)
	b.do(chromedp.Click(`.header button.quiet`, chromedp.ByQuery))
}
