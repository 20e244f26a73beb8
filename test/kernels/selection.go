package main

import (
	"regexp"
	"slices"
	"strings"
)

// packages are the tests to run in a guest, by architecture: what speaks to
// the kernel, and what needs other things from it than a plain CPU does.
var packages = map[string][]string{
	"amd64": {"./internal/kernel/...", "./internal/netns/...", "./internal/cni/...", "./internal/lab/..."},
	"arm64": {"./internal/kernel/...", "./internal/netns/..."},
	"s390x": {"./internal/kernel/...", "./internal/netns/..."},
}

// scripts are the end-to-end tests to run on another kernel: each backend and
// family, changes of the config, healing, takeover, both kinds of firewall.
const scripts = "change|change_hostgw|change_port|change_wireguard|direct|firewall_clean|firewall_harmless|firewall_kinds|forward|guard|heal|hostgw_dual|ipip|ipv6|reboot_before|strict|takeover|takeover_wireguard|vrf|vxlan|wireguard"

// afterReboot is what follows reboot_before, in another boot of the guest.
const afterReboot = "reboot_after"

// The gate has some five minutes for two kernels, each in a guest without KVM
// that takes up to ten times this machine's time. So -quick leaves out what
// takes long and would not tell kernels apart. Everything else stays.
const (
	// quickScripts has one script for each thing that differs by kernel: each
	// backend and family, the change of a backend and of a port, where a device
	// is renamed, healing, takeover, firewalls of both kinds, a real reboot.
	quickScripts = "change|change_port|firewall_kinds|heal|hostgw_dual|ipv6|reboot_before|takeover|vrf"

	// quickSkip are tests with large numbers, and those whose subject is weft
	// rather than the kernel: what it costs, what it does without a feature, and
	// how its policy rules' reading compares with the kernel's over hundreds of
	// random sets.
	quickSkip = "^(TestTenThousandElements|TestGrowingSets|TestConformanceWithoutNexthops|TestOnePeersWorkIsTheSameAmongMany|TestRoutingIsWhatTheKernelDoes)$" +
		"|^TestConformance$/^Ten_thousand_peers$"

	// quickCNI are the tests of CNI plugins that send packets, and quickLab those
	// of the lab whose segments, faults and programs the kernel makes.
	quickCNI = "^(TestLifeOfAContainer|TestPodsPingEachOther|TestUnderARuntime|TestFormerBridge|TestChained|TestCheck)$"
	quickLab = "^(TestEveryHostReachesEveryHost|TestFaultsLosePings|TestStreamArrivesWhole|TestTunnelledPingsAreSeenAsSuch|TestCloseLeavesNothing)$"
)

// quickPackages are those of packages that -quick runs.
var quickPackages = regexp.MustCompile(`internal/(kernel|netns|cni/(flannel|ptp)|lab$)`)

// script returns the pattern of -test.run for scripts of test/e2e.
func script(names string) string { return "^TestScripts$/^(" + names + ")$" }

// selects reports whether a pattern of -test.run has a script run.
func selects(pattern, script string) bool {
	_, scripts, _ := strings.Cut(pattern, "/")
	matched, err := regexp.MatchString(scripts, script)
	return err == nil && matched
}

// notInGuests are tests that need programs that guests do not have: containerd
// and runc, which use the same of every kernel.
const notInGuests = "^TestUnderContainerd$"

// patterns returns the arguments that select tests of a package.
func (o options) patterns(name string) []string {
	skip, run := notInGuests, o.tests
	if o.quick {
		skip += "|" + quickSkip
	}
	if o.quick && run == "" {
		switch {
		case strings.Contains(name, "/internal/cni/"):
			run = quickCNI
		case strings.HasSuffix(name, "/internal/lab"):
			run = quickLab
		}
	}
	return []string{"-test.skip=" + skip, "-test.run=" + run}
}

// packagesOf returns the packages with tests out of names that are asked for.
func (o options) packagesOf(names []string) ([]string, error) {
	wanted, err := regexp.Compile(o.run)
	if err != nil || o.scripts != "" {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !wanted.MatchString(name) || o.quick && !quickPackages.MatchString(name)
	}), nil
}

// scriptsOf returns the pattern of the end-to-end tests that are asked for,
// or "".
func (o options) scriptsOf() string {
	switch {
	case o.arch != "amd64" || o.tests != "":
		return ""
	case o.scripts != "":
		return "^TestScripts$/" + o.scripts
	case o.run != "" && !regexp.MustCompile(o.run).MatchString(e2e):
		return ""
	case o.quick:
		return script(quickScripts)
	}
	return script(scripts)
}
