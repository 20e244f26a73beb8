package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Tree returns all commands, for programs that write manual pages and
// completion. The commands do not run: they have no process.
func Tree(version string) *cobra.Command {
	noEnv := func(string) (string, bool) { return "", false }
	root, _ := newRoot(Process{Args: []string{"weft"}, Env: noEnv, Stdin: os.Stdin, Stdout: io.Discard, Stderr: io.Discard, Version: version})
	return root
}

const sampleHead = `# Variables of the agent ('weft up'), read by weft.service. Each is a flag: remove
# the # in front of a variable and set it. The values here are the defaults.
# 'weft up' refuses a variable that it does not know. This file may hold a
# password: keep it readable by root alone.
`

// sampleWidth is the length of the comments' lines, in bytes.
const sampleWidth = 90

// WriteSampleEnvironment writes an environment file that has a line for each
// flag of the agent, with what the flag is for. Each line is a comment.
func WriteSampleEnvironment(w io.Writer) error {
	var b strings.Builder
	b.WriteString(sampleHead)
	up, _, err := Tree("").Find([]string{upName})
	if err != nil {
		return fmt.Errorf("find the command %s: %w", upName, err)
	}
	up.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[fromEnv]) == 0 || f.Hidden || !hasEffect(f) {
			return
		}
		_, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, "\n%s#%s=%s\n", comment(usage), envName(envPrefixes[0], f.Name), strings.Trim(f.DefValue, "[]"))
	})
	_, err = io.WriteString(w, b.String())
	return err
}

// hasEffect tells whether a flag is worth a line: not one that is accepted for
// compatibility alone, nor one that prints and exits.
func hasEffect(f *pflag.Flag) bool {
	return !strings.HasPrefix(f.Usage, "ignored") && f.Name != "version" && f.Name != "help"
}

// comment breaks text into lines that begin with "# ".
func comment(text string) string {
	var out strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > sampleWidth {
			out.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return out.String() + line + "\n"
}
