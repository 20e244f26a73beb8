package cli

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var sampleLine = regexp.MustCompile(`(?m)^#(WEFT_[A-Z0-9_]+)=(.*)$`)

// TestSampleEnvironment holds that the file names each variable of the agent once, as a comment, and that
// the agent accepts the file with every comment sign removed.
func TestSampleEnvironment(t *testing.T) {
	var b strings.Builder
	if err := WriteSampleEnvironment(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if len(strings.TrimSpace(line)) > 0 && line[0] != '#' || len(line) > sampleWidth+1 {
			t.Errorf("this line is too long or no comment: %s", line)
		}
	}
	values := map[string]string{}
	for _, m := range sampleLine.FindAllStringSubmatch(b.String(), -1) {
		if _, twice := values[m[1]]; twice {
			t.Errorf("%s occurs twice", m[1])
		}
		values[m[1]] = m[2]
	}
	up, _, err := Tree("").Find([]string{upName})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	up.Flags().VisitAll(func(f *pflag.Flag) {
		names = append(names, f.Name)
		_, there := values[envName(envPrefixes[0], f.Name)]
		if want := !f.Hidden && hasEffect(f); there != want {
			t.Errorf("flag --%s: its variable occurs: %v, want %v", f.Name, there, want)
		}
	})
	if len(values) < 30 {
		t.Errorf("only %d variables", len(values))
	}
	env := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	none := func(string) bool { return false }
	set := func(name, text string) error { return up.Flags().Lookup(name).Value.Set(text) }
	for _, err := range applyEnv(env, names, none, set) {
		t.Error("the default of the file is refused:", err)
	}
}
