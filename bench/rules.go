package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/weft-net/weft/internal/lab"
)

// ruling is which rules stand on the hosts.
type ruling string

const (
	noRules   ruling = "none" // none at all, so the kernel does not track connections
	otherNAT  ruling = "nat"  // somebody's masquerade rule that no packet matches: connections are tracked
	weftRules ruling = "weft" // those that the agents made
)

var rulings = []ruling{noRules, otherNAT, weftRules}

// otherTable is like that of Docker for a bridge without containers.
const otherTable = `table ip bench {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 172.17.0.0/16 masquerade
	}
}
`

// rulebook holds the rules that each host's agent made, as nft(8) prints and
// reads them. Nobody else makes any there.
type rulebook map[*lab.Host]string

// readRules keeps the hosts' rules, and sees that their sets hold n peers
// where there is a guard.
func readRules(ctx context.Context, hosts []*lab.Host, backend string, n int) (rulebook, error) {
	b := rulebook{}
	for _, h := range hosts {
		text, err := listRules(ctx, h)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(text, "masquerade") {
			return nil, fmt.Errorf("%s: the agent made no rules: %q", h.Name, text)
		}
		if members := strings.Count(text, underlayStart); backend == vxlanBackend && members < n {
			return nil, fmt.Errorf("%s: the guard knows %d peers, not %d:\n%.2000s", h.Name, members, n, text)
		}
		b[h] = text
	}
	return b, nil
}

// underlayStart begins the address of every peer.
const underlayStart = "192.168."

func listRules(ctx context.Context, h *lab.Host) (string, error) {
	return h.Run(ctx, "/usr/sbin/nft", "--stateless", "list", "ruleset")
}

// impose puts the rules of r in the place of those that stand.
func (b rulebook) impose(ctx context.Context, r ruling) error {
	for h, made := range b {
		script := "flush ruleset\n"
		switch r {
		case otherNAT:
			script += otherTable
		case weftRules:
			script += made
		}
		if err := nft(ctx, h, script); err != nil {
			return err
		}
	}
	return nil
}

// check compares what stands with what the agents made.
func (b rulebook) check(ctx context.Context) error {
	for h, made := range b {
		have, err := listRules(ctx, h)
		if err == nil && have != made {
			err = fmt.Errorf("%s: the rules put back are not those that the agent made", h.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func nft(ctx context.Context, h *lab.Host, script string) error {
	var out bytes.Buffer
	cmd := h.Command(ctx, "/usr/sbin/nft", "-f", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), &out, &out
	err := h.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("%s: change the rules with nft(8): %w\n%s", h.Name, err, out.String())
	}
	return nil
}
