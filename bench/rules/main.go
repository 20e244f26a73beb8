// Command rules measures what weft's firewall rules cost packets: between two
// pods on two hosts, through the same tunnel with the rules and without them.
// It prints and judges nothing; README.md in the folder above says what the
// columns mean.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"

	"github.com/weft-net/weft/internal/netns"
)

func main() { os.Exit(netns.Main(run)) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	flags := flag.NewFlagSet("rules", flag.ContinueOnError)
	rounds := flags.Int("rounds", 5, "how often to measure without and with the rules, by turns")
	span := flags.Duration("for", time.Second, "how long each time")
	if flags.Parse(os.Args[1:]) != nil {
		return 2
	}
	if err := bench(ctx, os.Stdout, *rounds, *span); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// peers are how many addresses the guard's set holds.
var peers = []int{10, 10_000}

func bench(ctx context.Context, out io.Writer, rounds int, span time.Duration) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "peers\tpackets/s\twith rules\tratio\tconnections/s\twith rules\tratio\t")
	for _, n := range peers {
		w, err := newWorld(n)
		if err != nil {
			return err
		}
		packets, connections, err := w.measure(ctx, rounds, span)
		if closeErr := w.close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t\n", n, packets, connections)
	}
	return table.Flush()
}

// pair is a rate without and with rules.
type pair struct{ without, with float64 }

func (p pair) String() string {
	return fmt.Sprintf("%.0f\t%.0f\t%.2f", p.without, p.with, p.with/p.without)
}

// measure measures by turns, so that other work on the machine bears on both alike.
func (w *world) measure(ctx context.Context, rounds int, span time.Duration) (packets, connections pair, err error) {
	for range rounds {
		for _, on := range []bool{false, true} {
			if err := w.rules(ctx, on); err != nil {
				return packets, connections, err
			}
			p, err := w.packets(ctx, span)
			if err != nil {
				return packets, connections, err
			}
			c, err := w.connections(ctx, span)
			if err != nil {
				return packets, connections, err
			}
			seconds := span.Seconds() * float64(rounds)
			if on {
				packets.with += float64(p) / seconds
				connections.with += float64(c) / seconds
			} else {
				packets.without += float64(p) / seconds
				connections.without += float64(c) / seconds
			}
		}
	}
	return packets, connections, nil
}
