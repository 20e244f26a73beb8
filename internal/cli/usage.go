package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// Columns of the help: where there is no terminal, and at most and at least.
const (
	plainWidth  = 80
	widestHelp  = 120
	narrowWidth = 60 // below it, explanations get lines of their own
	maxLeft     = 30 // of the names of flags; longer ones get a line of their own
)

// widthOf is the number of columns of the terminal that stream is.
func widthOf(stream any) int {
	if p, ok := stream.(*printer); ok {
		stream = p.to
	}
	if f, ok := stream.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return min(columns, widestHelp)
		}
	}
	return plainWidth
}

// writeUsage writes the part of a command's help after its description.
func writeUsage(w io.Writer, cmd *cobra.Command, width int) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.Runnable() && !cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		writeCommands(&b, cmd)
	}
	writeFlags(&b, cmd.Flags(), width)
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n'%s COMMAND --help' explains a command.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeCommands(b *strings.Builder, cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			fmt.Fprintf(b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
}

// writeFlags writes the flags of fs under their headings, in lines of at most
// width columns where words allow it.
func writeFlags(b *strings.Builder, fs *pflag.FlagSet, width int) {
	all, left := grouped(fs), 0
	for _, list := range all {
		for _, f := range list {
			if n := utf8.RuneCountInString(flagForm(f)); n <= maxLeft {
				left = max(left, n)
			}
		}
	}
	const gap = 3
	column := left + gap
	if width < narrowWidth {
		column = 8
	}
	for _, g := range flagGroups {
		if len(all[g.title]) > 0 {
			fmt.Fprintf(b, "\n%s:\n", g.title)
		}
		for _, f := range all[g.title] {
			writeFlag(b, f, column, width)
		}
	}
}

func writeFlag(b *strings.Builder, f *pflag.Flag, column, width int) {
	form := flagForm(f)
	b.WriteString(form)
	used := utf8.RuneCountInString(form)
	if used+1 >= column {
		b.WriteByte('\n')
		used = 0
	}
	for _, line := range wrapText(flagUsage(f), width-column) {
		fmt.Fprintf(b, "%*s%s\n", column-used, "", line)
		used = 0
	}
}

// flagForm is the flag as it is written: "  -o, --output FORM".
func flagForm(f *pflag.Flag) string {
	form := "      --" + f.Name
	if f.Shorthand != "" {
		form = "  -" + f.Shorthand + ", --" + f.Name
	}
	if kind, _ := pflag.UnquoteUsage(f); kind != "" {
		form += " " + kind
	}
	return form
}

// flagUsage explains a flag, with a default that says something.
func flagUsage(f *pflag.Flag) string {
	_, usage := pflag.UnquoteUsage(f)
	switch f.DefValue {
	case "", "[]", "0", "false", "0s":
		return usage
	}
	return fmt.Sprintf("%s (default %s)", usage, f.DefValue)
}

// wrapText breaks text into lines of at most width columns; a longer word has a
// line of its own.
func wrapText(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
