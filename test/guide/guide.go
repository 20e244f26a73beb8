// Package guide runs the commands of a page of the documentation, so that what
// it tells operators is true. Only tests may import it.
//
// A fence says where its commands run: "sh HOST...", or "sh HOST... again". The
// fence "text" after it is what they print, in which "..." stands for anything,
// and lines may be left out.
package guide

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Block is a fenced block of a page: what follows the fence, and the lines within.
type Block struct {
	Line int // where it begins, from 1
	Info string
	Text string
}

// Step is a block of commands and what the page says they print.
type Step struct {
	Block
	Machines []string
	Again    bool // run it until it prints that: it observes something that takes time
	Prints   []string
}

// Run runs a program to its end and returns what it printed.
type Run func(ctx context.Context, args ...string) (string, error)

// againInterval is how often a step is run again.
const againInterval = 200 * time.Millisecond

// Blocks are the fenced blocks of a page, in order.
func Blocks(page string) ([]Block, error) {
	content, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	var out []Block
	var current *Block
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		info, fence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```")
		switch {
		case fence && current == nil:
			current = &Block{Line: number, Info: info}
		case fence:
			out = append(out, *current)
			current = nil
		case current != nil:
			current.Text += line
		}
	}
	if current != nil {
		return nil, fmt.Errorf("%s: the block of line %d has no end", page, current.Line)
	}
	return out, nil
}

// Steps are the steps of a page, which consists of nothing else.
func Steps(page string) ([]Step, error) {
	blocks, err := Blocks(page)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, b := range blocks {
		words := strings.Fields(b.Info)
		switch {
		case len(words) >= 2 && words[0] == "sh":
			hosts := slices.DeleteFunc(words[1:], func(w string) bool { return w == "again" })
			steps = append(steps, Step{Block: b, Machines: hosts, Again: len(hosts) < len(words)-1})
		case b.Info == "text" && len(steps) > 0 && steps[len(steps)-1].Prints == nil:
			steps[len(steps)-1].Prints = expectations(b.Text)
		default:
			return nil, fmt.Errorf("%s:%d: the block %q is neither commands for a machine nor what they print", page, b.Line, b.Info)
		}
	}
	if len(steps) < 10 {
		return nil, fmt.Errorf("%s: only %d blocks of commands were found", page, len(steps))
	}
	return steps, nil
}

func expectations(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if squeeze(line) != "..." && squeeze(line) != "" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// Take runs the step and compares what it prints with the page, until ctx ends
// if it is to be run again.
func (s Step) Take(ctx context.Context, run Run) error {
	ticker := time.NewTicker(againInterval)
	defer ticker.Stop()
	var err error
	for {
		out, now := run(ctx, "sh", "-e", "-c", s.Text)
		if now == nil {
			now = printed(out, s.Prints)
		}
		switch {
		case now == nil:
			return nil
		case err == nil || ctx.Err() == nil: // else it was cut short, and says less than the last
			err = fmt.Errorf("%w; it printed:\n%s", now, out)
		}
		if !s.Again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// printed says which of the expected lines is missing in out, where they must come in their order.
func printed(out string, want []string) error {
	lines := strings.Split(out, "\n")
	for _, expected := range want {
		pattern := linePattern(expected)
		i := slices.IndexFunc(lines, func(line string) bool { return pattern.MatchString(squeeze(line)) })
		if i < 0 {
			return fmt.Errorf("the page says that this is printed here: %s", expected)
		}
		lines = lines[i+1:]
	}
	return nil
}

func linePattern(line string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(squeeze(line)), `\.\.\.`, ".*") + "$")
}

// squeeze makes columns comparable: one blank between words.
func squeeze(line string) string { return strings.Join(strings.Fields(line), " ") }
