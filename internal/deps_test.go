// Package internal holds no code, only the test of the rules that the
// packages below it keep.
package internal

import (
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/weft-net/weft/"

// layers says which packages of this module a package may import, directly.
// What stands after a package's own name is all it may know.
var layers = map[string][]string{
	"internal/event":      {},
	"internal/netconf":    {},
	"internal/netstate":   {"internal/owned", "internal/sorted"},
	"internal/owned":      {"internal/netconf"},
	"internal/sorted":     {},
	"internal/netdump":    {"internal/host", "internal/netconf"},
	"internal/bundle":     {},
	"internal/check":      {"internal/api", "internal/explain", "internal/host", "internal/netconf", "internal/netdump", "internal/netstate"},
	"internal/explain":    {"internal/api", "internal/host", "internal/netconf", "internal/netdump", "internal/netstate", "internal/owned"},
	"internal/mailbox":    {},
	"internal/logonce":    {},
	"internal/backoff":    {},
	"internal/hostlock":   {},
	"internal/lease":      {"internal/netconf", "internal/sorted"},
	"internal/identity":   {"internal/lease", "internal/recordfile"},
	"internal/host":       {"internal/netconf"},
	"internal/subnetenv":  {"internal/netconf"},
	"internal/plan":       {"internal/plan/fastpath", "internal/plan/firewall", "internal/plan/vxlan", "internal/plan/hostgw", "internal/plan/wireguard", "internal/plan/ipip", "internal/plan/device", "internal/host", "internal/lease", "internal/netconf", "internal/netstate", "internal/owned", "internal/sorted"},
	"internal/plan/vxlan": {"internal/netconf", "internal/netstate", "internal/plan/device"},
	"internal/plan/ipip":  {"internal/netconf", "internal/netstate", "internal/owned", "internal/plan/device"},
	"internal/plan/wireguard": {
		"internal/netconf", "internal/netstate", "internal/owned", "internal/plan/device",
	},
	"internal/plan/device": {
		"internal/netconf", "internal/netstate",
	},
	"internal/wgkey":     {"internal/netconf", "internal/netstate"},
	"internal/wguser":    {},
	"internal/kernel/wg": {},
	"internal/plan/hostgw": {
		"internal/netstate",
	},
	"internal/plan/fastpath": {
		"internal/host", "internal/netstate",
	},
	"internal/plan/firewall": {
		"internal/host", "internal/netconf", "internal/netstate", "internal/owned",
	},
	"internal/probe":      {"internal/lease", "internal/netconf", "internal/netstate", "internal/plan", "internal/sorted"},
	"internal/prober":     {"internal/event", "internal/kernel/echo", "internal/lease", "internal/mailbox", "internal/netstate", "internal/plan", "internal/probe"},
	"internal/peerapi":    {"internal/api", "internal/check", "internal/event", "internal/lease", "internal/logonce", "internal/mailbox", "internal/netstate", "internal/plan"},
	"internal/reconcile":  {"internal/backoff", "internal/netstate", "internal/sorted"},
	"internal/kernel":     {"internal/kernel/wg", "internal/wgkey", "internal/logonce", "internal/kernel/fastpath", "internal/kernel/codec", "internal/kernel/nft", "internal/kernel/xtables", "internal/kernel/rtnl", "internal/host", "internal/netconf", "internal/netdump", "internal/netstate", "internal/owned"},
	"internal/kernel/nft": {"internal/kernel/rtnl", "internal/host", "internal/netdump", "internal/netstate", "internal/owned"},
	"internal/kernel/xtables": {
		"internal/host", "internal/netstate", "internal/owned",
	},
	"internal/kernel/rtnl":     {},
	"internal/kernel/fastpath": {"internal/netstate"},
	"internal/kernel/echo":     {"internal/kernel/codec", "internal/kernel/rtnl", "internal/netstate"},
	"internal/kernel/codec":    {"internal/kernel/rtnl", "internal/netstate"},
	"internal/intent": {
		"internal/event", "internal/host", "internal/lease", "internal/netconf", "internal/netstate", "internal/owned", "internal/plan", "internal/plan/firewall",
		"internal/plan/vxlan", "internal/sorted", "internal/store", "internal/subnetenv",
	},
	"internal/status":     {"internal/api", "internal/event", "internal/recordfile", "internal/intent", "internal/lease", "internal/netconf", "internal/netstate", "internal/plan", "internal/probe", "internal/reconcile"},
	"internal/recordfile": {},
	"internal/observer":   {"internal/host", "internal/intent", "internal/mailbox", "internal/netstate", "internal/reconcile"},
	"internal/persister":  {"internal/intent", "internal/lease", "internal/logonce", "internal/mailbox", "internal/recordfile", "internal/sorted"},
	"internal/holder":     {"internal/backoff", "internal/event", "internal/intent", "internal/lease", "internal/logonce", "internal/mailbox", "internal/store"},
	"internal/agent": {
		"internal/api", "internal/event", "internal/holder", "internal/host", "internal/hostlock", "internal/identity", "internal/intent", "internal/lease", "internal/logonce", "internal/mailbox", "internal/observer",
		"internal/netstate", "internal/peerapi", "internal/persister", "internal/plan/firewall", "internal/prober", "internal/reconcile", "internal/rekey", "internal/status", "internal/store", "internal/subnetenv", "internal/wgkey",
	},
	"internal/rekey": {"internal/api", "internal/mailbox", "internal/netstate", "internal/wgkey"},
	"internal/offline": {
		"internal/agent", "internal/identity", "internal/intent", "internal/lease", "internal/netconf", "internal/netstate", "internal/observer", "internal/persister",
		"internal/plan", "internal/reconcile", "internal/store", "internal/subnetenv", "internal/wgkey",
	},
	"internal/store":      {"internal/lease", "internal/netconf"},
	"internal/store/view": {"internal/store", "internal/lease", "internal/netconf"},
	"internal/store/feed": {"internal/store"},
	"internal/store/session": {
		"internal/backoff",
	},
	"internal/store/kube":    {"internal/logonce", "internal/store", "internal/backoff", "internal/store/session", "internal/store/feed", "internal/store/view", "internal/lease", "internal/netconf"},
	"internal/api":           {"internal/event", "internal/netstate"},
	"internal/page":          {"internal/api", "web"},
	"internal/docker":        {"internal/netconf", "internal/subnetenv"},
	"internal/cni":           {},
	"internal/cni/plugins":   {"internal/cni", "internal/cni/flannel", "internal/cni/ptp"},
	"internal/cni/flannel":   {"internal/backoff", "internal/cni", "internal/cni/fabric", "internal/kernel/bridge", "internal/netconf", "internal/subnetenv"},
	"internal/cni/fabric":    {"internal/subnetenv"},
	"internal/cni/ptp":       {"internal/cni", "internal/cni/fabric", "internal/cni/ipam", "internal/kernel/podlink", "internal/subnetenv"},
	"internal/cni/ipam":      {"internal/backoff"},
	"internal/cni/install":   {},
	"internal/kernel/bridge": {"internal/kernel/codec", "internal/kernel/rtnl"},
	"internal/kernel/podlink": {
		"internal/kernel/codec", "internal/kernel/rtnl", "internal/netstate", "internal/owned",
	},
}

// slow packages take their time before main begins, or drag in those that do.
// A CNI plugin is started for each container and must have none of them, not
// even through another package.
var slow = []string{
	"net/http", "crypto/tls", "go.etcd.io/", "k8s.io/", "google.golang.org/", "github.com/prometheus/", "github.com/spf13/",
	module + "internal/agent", module + "internal/api", module + "internal/cli", module + "internal/store",
}

// pure packages compute: what would let them look at the world is barred.
var pure = []string{
	"internal/netconf", "internal/netstate", "internal/lease", "internal/owned", "internal/sorted",
	"internal/plan", "internal/plan/fastpath", "internal/plan/firewall", "internal/plan/vxlan", "internal/plan/hostgw", "internal/plan/wireguard", "internal/plan/ipip", "internal/plan/device", "internal/intent", "internal/netdump", "internal/explain", "internal/check",
	"internal/probe",
}

var barredInPure = []string{"context", "log", "log/slog", "os", "os/exec", "net/http", "syscall", "math/rand/v2", "golang.org/x/sys/unix"}

// forTests are packages for tests alone: what weft is made of does not import them.
var forTests = []string{"internal/store/etcdtest", "internal/store/kubetest", "internal/store/storetest", "internal/explain/explaintest", "test/absence", "test/programs"}

// netlink libraries may be imported by these alone.
var netlinkUsers = []string{"bench", "internal/kernel", "internal/kernel/rtnl", "internal/lab", "internal/netns"}

var netlinkLibraries = []string{"github.com/vishvananda/netlink", "github.com/mdlayher/netlink", "github.com/jsimonetti/rtnetlink", "github.com/google/nftables"}

func TestImportsPointOneWay(t *testing.T) {
	for pkg, imports := range packages(t) {
		allowed, ruled := layers[pkg]
		for _, imp := range imports {
			ours, isOurs := strings.CutPrefix(imp, module)
			if ruled && isOurs && !slices.Contains(allowed, ours) {
				t.Errorf("%s must not import %s", pkg, ours)
			}
			if slices.Contains(pure, pkg) && slices.Contains(barredInPure, imp) {
				t.Errorf("%s is pure and must not import %s", pkg, imp)
			}
			isNetlink := slices.ContainsFunc(netlinkLibraries, func(l string) bool { return strings.HasPrefix(imp, l) })
			if isNetlink && !slices.Contains(netlinkUsers, pkg) {
				t.Errorf("%s must not import %s; netlink is internal/kernel's", pkg, imp)
			}
			if slices.Contains(forTests, ours) && !isForTests(pkg) {
				t.Errorf("%s must not import %s, which is for tests", pkg, ours)
			}
			if imp == "os/exec" && strings.HasPrefix(pkg, "internal/agent") {
				t.Errorf("%s must not start programs", pkg)
			}
		}
	}
}

func isForTests(pkg string) bool {
	return slices.Contains(forTests, pkg) || strings.HasPrefix(pkg, "test/") || pkg == "bench" // which compares with other programs
}

func TestPluginStartsFast(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "./cmd/weft-cni")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal("go list:", err)
	}
	if !strings.Contains(string(out), module+"internal/cni\n") {
		t.Fatal("go list does not list what the plugin is made of")
	}
	for pkg := range strings.Lines(string(out)) {
		for _, s := range slow {
			if strings.HasPrefix(pkg, s) {
				t.Errorf("cmd/weft-cni imports %s", strings.TrimSpace(pkg))
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for pkg := range packages(t) {
		dir := filepath.Join("..", pkg)
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		documented := false
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || parsed.Doc != nil
		}
		if !documented {
			t.Errorf("package %s has no doc comment", pkg)
		}
	}
}

// packages returns the imports of every package of the module, by its path
// within it; test files do not count.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal("go list:", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		all[strings.TrimPrefix(words[0], module)] = words[1:]
	}
	if len(all) < len(layers) {
		t.Fatalf("go list knows only %d packages", len(all))
	}
	return all
}
