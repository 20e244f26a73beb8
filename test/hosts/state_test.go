package hosts

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// states are the hosts' states by host, as state.sh prints them, once they do not change any more: the kernel
// takes a moment for IPv6.
func (tr *trial) states() map[string]string {
	ctx, cancel := context.WithTimeout(tr.t.Context(), startLimit)
	defer cancel()
	script, err := os.ReadFile("state.sh")
	tr.check(err)
	var mu sync.Mutex
	out := map[string]string{}
	tr.onAll(func(h *lab.Host) error {
		text, err := settled(ctx, h, string(script))
		mu.Lock()
		defer mu.Unlock()
		out[h.Name] = text
		return err
	})
	return out
}

// settled returns what the script prints twice, with a pause between.
func settled(ctx context.Context, h *lab.Host, script string) (string, error) {
	last := ""
	for {
		text, err := h.Run(ctx, "sh", "-c", script)
		if err != nil || normal(text) == last {
			return last, err
		}
		last = normal(text)
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("the state of %s does not settle: %w", h.Name, ctx.Err())
		}
	}
}

// volatile is what differs between two looks, or two labs, without anybody's doing.
var volatile = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(?m)^\d+: `), ""},                                      // interface indexes
	{regexp.MustCompile(`@(if\d+|[\w.-]+)`), ""},                                // of peers
	{regexp.MustCompile(`[0-9a-f]{4}\.([0-9a-f]+:){5}[0-9a-f]+`), "BRIDGE"},     // bridge ids, of them
	{regexp.MustCompile(`([0-9a-f]{2}:){5}[0-9a-f]{2}`), "MAC"},                 // random
	{regexp.MustCompile(`(fd04:[78]::)[0-9a-f]+(:[0-9a-f]+){3}`), "${1}RANDOM"}, // temporary addresses
	{regexp.MustCompile(`fe80::[0-9a-f:]+`), "LINKLOCAL"},                       // from it
	{regexp.MustCompile(`(valid_lft|preferred_lft|expires) \d+sec`), "$1 TIME"}, // run down
	{regexp.MustCompile(`(_timer|ageing_timer) +[\d.]+`), "$1 TIME"},
	{regexp.MustCompile(`(expires|timeout) [\dhms]+`), "$1 TIME"},
}

func normal(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.by)
	}
	return text
}

// compare demands that every host is as it was without weft, but for what the configuration says, which must differ.
func (tr *trial) compare(o order, bare map[string]string) {
	tr.t.Helper()
	now := tr.states()
	all := ""
	but := tr.c.differing(o)
	for _, name := range members {
		diff := difference(bare[name], now[name])
		all += diff
		if diff = without(diff, but); diff != "" {
			tr.t.Errorf("%s: weft clean left a difference (- without weft, + now):\n%s", name, diff)
		}
	}
	for _, p := range but {
		if without(all, []*regexp.Regexp{p}) == all {
			tr.t.Errorf("nothing of what %s tells differs any more: remove it from the configuration", p)
		}
	}
}

// difference lists the lines that one text has and the other has not, with "- " and "+ " before them.
func difference(before, after string) string {
	var out strings.Builder
	list := func(sign, these, others string) {
		have := strings.Split(others, "\n")
		for line := range strings.SplitSeq(these, "\n") {
			if !slices.Contains(have, line) {
				fmt.Fprintf(&out, "%s %s\n", sign, line)
			}
		}
	}
	list("-", before, after)
	list("+", after, before)
	return out.String()
}

// without drops the lines of a difference that one of the patterns matches.
func without(diff string, patterns []*regexp.Regexp) string {
	var out strings.Builder
	for line := range strings.Lines(diff) {
		text := strings.TrimSuffix(line[len("- "):], "\n")
		if !slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(text) }) {
			out.WriteString(line)
		}
	}
	return out.String()
}
