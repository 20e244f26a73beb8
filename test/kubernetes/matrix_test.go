package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// tries is how many requests are counted for each path and question.
	tries = 3
	// pathLimit is how long a path may take until the first answer: kube-proxy follows changes each second.
	pathLimit = 20 * time.Second
	// refusals is how long no answer counts as none.
	refusalLimit = 7 * time.Second
)

// path is one way of a request through the cluster.
type path struct {
	row      string // of the table
	from     server
	host     string // an address or a name
	port     int
	udp      bool
	is6      bool
	server   string     // who must answer; "": always the same
	source   netip.Addr // which address the server must see; invalid: any
	unserved bool       // nobody must answer
	refused  bool       // the client must be told so at once
}

// ask demands requests from the path's first end.
func (p path) ask(ctx context.Context, question string, count int) (answers []string, err error) {
	query := url.Values{"host": {p.host}, "port": {strconv.Itoa(p.port)}, "request": {question}, "tries": {strconv.Itoa(count)}, "protocol": {"http"}}
	if p.udp {
		query.Set("protocol", "udp")
	}
	demand := fmt.Sprintf("http://%s/dial?%s", netip.AddrPortFrom(p.from.addr(p.is6), p.from.port), query.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, demand, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: dialFrom(p.from.host), DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s itself: %w", p.from.name, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var result struct{ Responses, Errors []string }
	if err := json.Unmarshal(text, &result); err != nil {
		return nil, fmt.Errorf("%s: %s", p.from.name, text)
	}
	if len(result.Errors) > 0 {
		return result.Responses, errors.New(strings.Join(result.Errors, "; "))
	}
	return result.Responses, nil
}

// take uses the path, and returns how many of the counted requests were answered as they must be.
func (p path) take(ctx context.Context) (sent, right int, err error) {
	switch {
	case p.unserved:
		return p.takeUnserved(ctx)
	case p.refused:
		err := within(ctx, pathLimit, func() error { return p.takeRefused(ctx) })
		return 1, map[bool]int{true: 1}[err == nil], err
	}
	err = within(ctx, pathLimit, func() error { _, err := p.ask(ctx, "hostname", 1); return err })
	if err != nil {
		return 2 * tries, 0, err
	}
	names, err := p.ask(ctx, "hostname", tries)
	want := p.server
	for _, name := range names {
		if want == "" {
			want = name
		}
		if name != want {
			err = fmt.Errorf("%s answered, not %s", name, want)
			continue
		}
		right++
	}
	clients, clientErr := p.ask(ctx, "clientip", tries)
	for _, client := range clients {
		addr, parseErr := clientAddr(client)
		if parseErr != nil || p.source.IsValid() && addr != p.source {
			err = fmt.Errorf("the server sees %s, not %s", client, p.source)
			continue
		}
		right++
	}
	return 2 * tries, right, errors.Join(err, clientErr)
}

func (p path) takeUnserved(ctx context.Context) (sent, right int, err error) {
	ctx, cancel := context.WithTimeout(ctx, refusalLimit)
	defer cancel()
	if answers, err := p.ask(ctx, "hostname", 1); err == nil {
		return 1, 0, fmt.Errorf("%v answered, which must not", answers)
	}
	return 1, 1, nil
}

func (p path) takeRefused(ctx context.Context) error {
	answers, err := p.ask(ctx, "hostname", 1)
	if err == nil || !strings.Contains(err.Error(), "refused") {
		return fmt.Errorf("the client got %v, and not a refusal: %w", answers, err)
	}
	return nil
}

// clientAddr reads what a server says of a client: an address and a port.
func clientAddr(text string) (netip.Addr, error) {
	host, _, err := net.SplitHostPort(strings.TrimSpace(text))
	if err != nil {
		return netip.Addr{}, err
	}
	addr, err := netip.ParseAddr(host)
	return addr.Unmap(), err
}

func (p path) String() string {
	protocol := "TCP"
	if p.udp {
		protocol = "UDP"
	}
	return fmt.Sprintf("%s, %s: %s to %s, %s", p.row, familyName(p.is6), p.from.name, net.JoinHostPort(p.host, strconv.Itoa(p.port)), protocol)
}

// result is a row's count for one family.
type result struct{ paths, good, sent, right int }

// table is the outcome of a matrix: by row and family.
type table struct {
	title string
	rows  []string // in order
	cells map[string]map[bool]result
}

// takeAll uses all paths, those of different first ends at the same time, and reports those that fail.
func (c *cluster) takeAll(title string, paths []path) table {
	c.t.Helper()
	result := table{title: title, cells: map[string]map[bool]result{}}
	byClient := map[string][]path{}
	for _, p := range paths {
		result.add(p, 0, 0, false)
		byClient[p.from.name] = append(byClient[p.from.name], p)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, own := range byClient {
		all.Go(func() {
			for _, p := range own {
				sent, right, err := p.take(c.t.Context())
				mu.Lock()
				result.add(p, sent, right, true)
				if err != nil || sent != right {
					c.t.Errorf("%s: %s: %d of %d right: %v", title, p, right, sent, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return result
}

func (t *table) add(p path, sent, right int, taken bool) {
	if t.cells[p.row] == nil {
		t.cells[p.row] = map[bool]result{}
		t.rows = append(t.rows, p.row)
	}
	if !taken {
		return
	}
	r := t.cells[p.row][p.is6]
	r.paths, r.sent, r.right = r.paths+1, r.sent+sent, r.right+right
	if sent == right {
		r.good++
	}
	t.cells[p.row][p.is6] = r
}

// String is the table in Markdown: how many paths work, and of how many requests.
func (t table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | IPv4 | IPv6 |\n|---|---|---|\n", t.title)
	sum := map[bool]result{}
	for _, row := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row, t.cells[row][false], t.cells[row][true])
		for is6, r := range t.cells[row] {
			s := sum[is6]
			sum[is6] = result{s.paths + r.paths, s.good + r.good, s.sent + r.sent, s.right + r.right}
		}
	}
	fmt.Fprintf(&b, "| all | %s | %s |\n", sum[false], sum[true])
	return b.String()
}

func (r result) String() string {
	if r.paths == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d (%d requests)", r.good, r.paths, r.sent)
}
