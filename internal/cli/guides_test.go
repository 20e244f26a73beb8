package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestGuidesNameWhatThereIs holds every weft command in the documentation
// against the command line: commands, flags, their values, the number of
// arguments. None is run.
func TestGuidesNameWhatThereIs(t *testing.T) {
	found := 0
	for _, page := range guides(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range blockLines(string(text)) {
			n, err := checkLine(line)
			if err != nil {
				t.Errorf("%s: %s\n%v", page, line, err)
			}
			found += n
		}
		for _, words := range mentions(string(text)) {
			if err := checkCommand(words, true); err != nil {
				t.Errorf("%s: %s\n%v", page, words, err)
			}
			found++
		}
	}
	if found < 60 {
		t.Errorf("only %d commands were found", found)
	}
}

func guides(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..")
	out := []string{filepath.Join(root, "README.md")}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// blockLines returns the lines of fenced and indented blocks, those that end
// with a backslash joined with the next.
func blockLines(text string) []string {
	var out []string
	fenced, joined := false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if !fenced && !strings.HasPrefix(line, "    ") {
			continue
		}
		if more, goesOn := strings.CutSuffix(line, `\`); goesOn {
			joined += more
			continue
		}
		out = append(out, strings.TrimSpace(joined+line))
		joined = ""
	}
	return out
}

var inline = regexp.MustCompile("`(weft [^`]+)`")

// mentions returns the words after weft of commands in running text.
func mentions(text string) [][]string {
	var out [][]string
	for _, match := range inline.FindAllStringSubmatch(text, -1) {
		if words := shellCommands(match[1])[0]; len(words) > 1 {
			out = append(out, words[1:])
		}
	}
	return out
}

// checkLine checks the commands in a line of shell that are weft's, and
// returns how many these are.
func checkLine(line string) (int, error) {
	found := 0
	for _, words := range shellCommands(strings.TrimPrefix(line, "$ ")) {
		for len(words) > 0 && (words[0] == "sudo" || isAssignment(words[0])) {
			words = words[1:]
		}
		if len(words) == 0 || words[0] != "weft" && words[0] != "bin/weft" {
			continue
		}
		found++
		if err := checkCommand(words[1:], false); err != nil {
			return found, err
		}
	}
	return found, nil
}

func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && regexp.MustCompile(`^[A-Z_]+$`).MatchString(name)
}

// shellCommands splits a line at blanks, and into commands at |, ;, & and
// redirections; what a redirection names is then a command that is not weft's.
// Quotes hold together, # begins a comment.
func shellCommands(line string) [][]string {
	commands := [][]string{nil}
	word, quote, inWord := "", rune(0), false
	end := func() {
		if inWord {
			last := &commands[len(commands)-1]
			*last = append(*last, word)
		}
		word, inWord = "", false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ':
			end()
		case r == '#' && !inWord:
			return commands
		case strings.ContainsRune("|;&<>", r):
			end()
			commands = append(commands, nil)
		default:
			word, inWord = word+string(r), true
		}
	}
	end()
	return commands
}

// checkCommand parses a command line, as if it were to be run. One that is
// only mentioned need not have its arguments.
func checkCommand(args []string, mentioned bool) error {
	root, _ := newRoot(Process{Env: func(string) (string, bool) { return "", false }})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	root.InitDefaultVersionFlag()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	rest = cmd.Flags().Args()
	if cmd.HasSubCommands() && cmd.Name() != "help" && len(rest) > 0 {
		return fmt.Errorf("%q has no command %q", cmd.CommandPath(), rest[0])
	}
	if help, err := cmd.Flags().GetBool("help"); err == nil && help || mentioned && len(rest) == 0 {
		return nil
	}
	if err := cmd.ValidateArgs(rest); err != nil {
		return err
	}
	return checkNested(cmd, rest)
}

// checkNested checks what weft lab exec is to run, if that is weft again.
func checkNested(cmd *cobra.Command, args []string) error {
	if cmd.CommandPath() != "weft lab exec" {
		return nil
	}
	if program := labProgram(args); program[0] == "weft" {
		return checkCommand(program[1:], false)
	}
	return nil
}

func TestGuideCommandsAreChecked(t *testing.T) {
	for line, want := range map[string]string{
		"weft status": "",
		"$ sudo weft plan --diff | head # weft no":   "",
		"WEFT_IFACE=eth0 weft up --iface=eth1":       "",
		"weft config set '{\"a\": 1}' > out":         "",
		"weft lab exec h1 -- ip route":               "",
		"weft up --help":                             "",
		"weft statsu":                                "unknown command",
		"weft config gett":                           "no command",
		"weft plan --dif":                            "unknown flag",
		"cat x | weft status now":                    "takes no arguments",
		"weft config set":                            "needs one document",
		"weft up --healthz-port=many":                "must be a whole number",
		"weft lab exec h1 -- weft statsu":            "unknown command",
		"weft lab exec h1":                           "needs a host or pod",
		"A=1 weft lease reserve 10.5.0.0/24 --pub 1": "unknown flag",
	} {
		n, err := checkLine(line)
		if n != 1 || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d found, error %v, want %q", line, n, err, want)
		}
	}
	if n, err := checkLine("weft: no agent answers"); n != 0 || err != nil {
		t.Errorf("an error message counts as %d commands: %v", n, err)
	}
}
