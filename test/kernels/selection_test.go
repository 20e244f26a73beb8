package main

import "testing"

func TestSelection(t *testing.T) {
	names := []string{module + "internal/kernel", module + "internal/cni/ipam", module + "internal/lab"}
	for name, tc := range map[string]struct {
		options options
		count   int
		scripts string
	}{
		"all":              {options{arch: "amd64"}, 3, script(scripts)},
		"quick":            {options{arch: "amd64", quick: true}, 2, script(quickScripts)},
		"a package":        {options{arch: "amd64", run: "internal/lab"}, 1, ""},
		"scripts":          {options{arch: "amd64", run: "e2e"}, 0, script(scripts)},
		"one script":       {options{arch: "amd64", scripts: "^vrf$"}, 0, "^TestScripts$/^vrf$"},
		"one test":         {options{arch: "amd64", tests: "^TestX$"}, 3, ""},
		"no scripts there": {options{arch: "s390x"}, 3, ""},
	} {
		found, err := tc.options.packagesOf(append([]string(nil), names...))
		if err != nil || len(found) != tc.count {
			t.Errorf("%s: packages %v, %v", name, found, err)
		}
		if got := tc.options.scriptsOf(); got != tc.scripts {
			t.Errorf("%s: scripts %q, want %q", name, got, tc.scripts)
		}
	}
	if _, err := (options{run: "("}).packagesOf(names); err == nil {
		t.Error("a pattern that is none was taken")
	}
	for pattern, want := range map[string]bool{script(scripts): true, script(quickScripts): true, "^TestScripts$/^vrf$": false} {
		if selects(pattern, "reboot_before") != want {
			t.Errorf("%s: whether it has the reboot is not %v", pattern, want)
		}
	}
}
