package cli

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/store/kube"
)

// settings are the values of flags and environment, each checked.
type settings struct {
	storeSettings
	dirSettings
	uplinkSettings
	logSettings
	klogSettings
	trafficSettings

	subnetFile  string
	renewMargin int // minutes
	healthIP    netip.Addr
	healthPort  int // 0: off
	metrics     api.Metrics
	resync      time.Duration
	lockDir     string
	uiPort      int // of the page, on the loopback address; 0: off
	version     bool
}

// storeSettings chooses the store. chosen tells whether any of it was
// given, rather than left at its default.
type storeSettings struct {
	endpoints                 []string
	prefix                    string
	keyFile, certFile, caFile string
	username, password        string
	chosen                    bool
	kubeSettings
}

// dirSettings are an agent's directories.
type dirSettings struct {
	stateDir, runDir string
	derived          bool // from prefix and subnet file; see separate
}

// uplinkSettings chooses the uplink.
type uplinkSettings struct {
	iface, ifaceRegex    []string
	canReach             netip.Addr
	publicIP, publicIPv6 netip.Addr
}

// trafficSettings is about what happens to packets that leave the network.
type trafficSettings struct {
	table            string // of nftables; "": after the network
	ipMasq, noRandom bool
	except           []netip.Prefix // destinations that are not masqueraded
	exceptNodes      bool
	inbound          bool // not a flag: flanneld masquerades inbound clients, too
	iptablesResync   int  // seconds
	forwardRules     bool
	blackhole        bool
	fastPath         netconf.Choice // open: as the network's config says
}

// kubeSettings are flanneld's flags for Kubernetes; without subnetMgr the
// rest has no effect.
type kubeSettings struct {
	subnetMgr        bool
	apiURL           string
	annotationPrefix string
	kubeconfig       string
	netConfigPath    string
	setUnavailable   bool
	self             kube.Self // from the environment
}

// logSettings chooses the log's level and format.
type logSettings struct {
	level  string // "": set by verbosity
	format string
}

// klogSettings is flanneld's logging; only verbosity has a meaning here.
type klogSettings struct {
	verbosity int
	module    string
	backtrace string
}

// margin is how long before its end the lease is renewed.
func (s *settings) margin() time.Duration { return time.Duration(s.renewMargin) * time.Minute }

// public returns the announced addresses that were given, v4 first.
func (u uplinkSettings) public() []netip.Addr {
	var out []netip.Addr
	for _, a := range []netip.Addr{u.publicIP, u.publicIPv6} {
		if a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}

// debugVerbosity is the klog verbosity from which on weft logs at debug level.
const debugVerbosity = 4

// slogLevel is --log-level, or what --v asks for.
func (s *settings) slogLevel() slog.Level {
	var l slog.Level
	switch {
	case s.level != "" && l.UnmarshalText([]byte(s.level)) == nil:
		return l
	case s.verbosity >= debugVerbosity:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// firewall returns the settings about packets that leave or enter the network.
func (t *trafficSettings) firewall() firewall.Options {
	return firewall.Options{
		Masquerade: t.ipMasq,
		KeepPorts:  t.noRandom,
		Inbound:    t.inbound && t.ipMasq,
		Except:     t.except,
		Nodes:      t.exceptNodes,
		Blackhole:  t.blackhole,
		Accept:     t.forwardRules,
		Table:      t.table,
	}
}

// check refuses contradictory settings.
func (s *settings) check() error {
	if s.subnetMgr && !s.self.Known() {
		return &usageError{
			err:  errors.New("--kube-subnet-mgr: the name of this host's node is unknown"),
			hint: "set NODE_NAME in the environment, or POD_NAME and POD_NAMESPACE, as flannel's manifest does",
		}
	}
	return s.storeSettings.check()
}

func (s *storeSettings) check() error {
	switch {
	case (s.keyFile == "") != (s.certFile == "") && !s.plain():
		return usagef("--etcd-keyfile and --etcd-certfile only work together: %q and %q were given", s.keyFile, s.certFile)
	case s.password != "" && s.username == "":
		return usagef("--etcd-password needs an --etcd-username")
	}
	return nil
}

// plain tells whether all endpoints are said to be without TLS, which needs no
// certificate.
func (s *storeSettings) plain() bool {
	return !slices.ContainsFunc(s.endpoints, func(e string) bool {
		return !strings.HasPrefix(e, "http://") && !strings.HasPrefix(e, "unix://")
	})
}

// warnings lists flags that were given and have no effect.
func (s *settings) warnings() []string {
	var out []string
	warn := func(asked bool, text string) {
		if asked {
			out = append(out, text)
		}
	}
	for flag, text := range map[string]string{"--kube-api-url": s.apiURL, "--kubeconfig-file": s.kubeconfig} {
		warn(text != "" && !s.subnetMgr, flag+" has no effect without --kube-subnet-mgr")
	}
	return out
}
