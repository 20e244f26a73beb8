package cli

import (
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/owned"

	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/kube"
)

// Flags are made in flag.FlagSets: flanneld's command line is parsed by one
// directly, cobra's commands import them from there.

func newFlagSet() *flag.FlagSet { return flag.NewFlagSet(flanneldName, flag.ContinueOnError) }

func addText(fs *flag.FlagSet, to *string, name, def, kind, usage string) {
	fs.Var(newValue(to, kind, def, parseText), name, usage)
}

func addBool(fs *flag.FlagSet, to *bool, name, def, usage string) {
	fs.Var(newValue(to, "bool", def, parseBool), name, usage)
}

// addFlanneldFlags adds every flag that flanneld has, with its name and
// default.
func addFlanneldFlags(fs *flag.FlagSet, s *settings) {
	addStoreFlags(fs, &s.storeSettings)
	addUplinkFlags(fs, &s.uplinkSettings)
	addTrafficFlags(fs, &s.trafficSettings)
	addKubeFlags(fs, &s.kubeSettings)
	addKlogFlags(fs, &s.klogSettings)
	addSubnetFileFlag(fs, s)
	fs.Var(newValue(&s.renewMargin, "minutes", "60", parseInt(1, 1439, " of minutes")), "subnet-lease-renew-margin",
		"renew the lease this many minutes before it expires, 1 to 1439")
	fs.Var(newValue(&s.healthIP, "address", "0.0.0.0", parseAddr("an IP address", isAny)), "healthz-ip",
		"address on which /healthz, /readyz and, for clients on this host, /metrics are served")
	fs.Var(newValue(&s.healthPort, "port", "0", parseInt(0, 65535, "")), "healthz-port",
		"port for these; 0 turns them off")
	addBool(fs, &s.version, "version", "false", "print the version and exit")
}

const defaultSubnetFile = "/run/flannel/subnet.env"

func addSubnetFileFlag(fs *flag.FlagSet, s *settings) {
	addText(fs, &s.subnetFile, "subnet-file", defaultSubnetFile, "file",
		"environment file to which this host's subnet is written")
}

// defaultEndpoints is where flanneld looks for etcd unless told otherwise.
const defaultEndpoints = "http://127.0.0.1:4001,http://127.0.0.1:2379"

// defaultPrefix is flanneld's.
const defaultPrefix = etcd.DefaultPrefix

// storeFlagPrefix begins the names of all flags that choose the store.
const storeFlagPrefix = "etcd-"

const endpointsFlag = "etcd-endpoints"

// kubeFlag is the flag that chooses the store on Kubernetes.
const kubeFlag = "kube-subnet-mgr"

func addStoreFlags(fs *flag.FlagSet, s *storeSettings) {
	fs.Var(newValue(&s.endpoints, "urls", defaultEndpoints, parseEndpoints), endpointsFlag,
		"comma-separated addresses of the etcd servers")
	fs.Var(newValue(&s.prefix, "path", defaultPrefix, parsePrefix), "etcd-prefix",
		"path in etcd under which the network's config and leases are stored")
	addText(fs, &s.keyFile, "etcd-keyfile", "", "file", "key of this host's TLS certificate (PEM)")
	addText(fs, &s.certFile, "etcd-certfile", "", "file", "TLS certificate that authenticates this host to etcd (PEM)")
	addText(fs, &s.caFile, "etcd-cafile", "", "file", "CA bundle to verify etcd's certificate (PEM)")
	addText(fs, &s.username, "etcd-username", "", "name", "user name for etcd")
	addText(fs, &s.password, "etcd-password", "", "text", "password for etcd; prefer WEFT_ETCD_PASSWORD, which other users cannot see")
}

func addUplinkFlags(fs *flag.FlagSet, u *uplinkSettings) {
	host := parseAddr("an IP address", isHost)
	fs.Var(&list{to: &u.iface, kind: interfaceKind, parse: parseNames}, "iface",
		"interface, by name or address, through which peers are reached; repeatable, first match wins")
	fs.Var(&list{to: &u.ifaceRegex, kind: "regex", parse: parseRegexp}, "iface-regex",
		"regular expression that matches the interface's name or one of its addresses; tried after --iface; repeatable, first match wins")
	fs.Var(newValue(&u.canReach, "address", "", host), "iface-can-reach",
		"address that the routing table reaches through the wanted interface; tried after --iface and --iface-regex")
	fs.Var(newValue(&u.publicIP, "address", "", parseAddr("an IPv4 address", isHostV4)), "public-ip",
		"IPv4 address to advertise to peers in place of the interface's own")
	fs.Var(newValue(&u.publicIPv6, "address", "", parseAddr("an IPv6 address", isHostV6)), "public-ipv6",
		"IPv6 address to advertise to peers in place of the interface's own")
}

func addTrafficFlags(fs *flag.FlagSet, t *trafficSettings) {
	addBool(fs, &t.ipMasq, "ip-masq", "false", "masquerade traffic leaving the network, except multicast")
	addBool(fs, &t.noRandom, "ip-masq-fully-random-disable", "false", "keep source ports when masquerading, if they are free")
	fs.Var(newValue(&t.iptablesResync, "seconds", "5", parseInt(1, 86400, " of seconds")), "iptables-resync",
		ignoredNote+"; the kernel reports changes, so weft does not poll")
	addBool(fs, &t.forwardRules, "iptables-forward-rules", "true", "insert ACCEPT rules for the network's packets in other firewalls' chains that could block them")
	addBool(fs, &t.blackhole, "ip-blackhole-route", "false", "drop packets for addresses of this host's subnet that no container has, in place of sending them on")
}

func addExceptFlag(fs *flag.FlagSet, t *trafficSettings) {
	fs.Var(&exceptions{t}, "ip-masq-except",
		"destinations that are not masqueraded: comma-separated CIDRs, and \"nodes\" for the network's hosts; repeatable")
}

func addKubeFlags(fs *flag.FlagSet, k *kubeSettings) {
	addKubeStoreFlags(fs, k)
	addBool(fs, &k.setUnavailable, "set-node-network-unavailable", "true",
		"on Kubernetes, keep the node's condition NetworkUnavailable up to date: False once the network is up")
}

// addKubeStoreFlags adds the flags that choose the store on Kubernetes.
func addKubeStoreFlags(fs *flag.FlagSet, k *kubeSettings) {
	addBool(fs, &k.subnetMgr, kubeFlag, "false", "use Kubernetes as the store: subnets are the nodes' PodCIDRs")
	addText(fs, &k.apiURL, "kube-api-url", "", "url", "Kubernetes API server, in place of the kubeconfig's")
	fs.Var(newValue(&k.annotationPrefix, "prefix", kube.DefaultPrefix, parseAnnotationPrefix), "kube-annotation-prefix",
		"prefix of the names of the node annotations")
	addText(fs, &k.kubeconfig, "kubeconfig-file", "", "file",
		"kubeconfig file; default, unless --kube-api-url is given: the cluster in whose pod this runs, else kubectl's")
	addText(fs, &k.netConfigPath, "net-config-path", kube.DefaultConfigFile, "file",
		"file with the network config on Kubernetes; reread when it changes")
}

func parseAnnotationPrefix(s string) (string, error) { return s, kube.CheckPrefix(s) }

func addKlogFlags(fs *flag.FlagSet, k *klogSettings) {
	fs.Var(newValue(&k.verbosity, "number", "0", parseInt(-1<<31, 1<<31-1, "")), "v",
		fmt.Sprintf("verbosity; %d and above log at debug level", debugVerbosity))
	addText(fs, &k.module, "vmodule", "", "pattern", ignoredNote)
	addText(fs, &k.backtrace, "log_backtrace_at", "", "file:line", ignoredNote)
}

// ignoredFlags are logging flags that old flanneld command lines carry. They
// are accepted and ignored.
var ignoredFlags = map[string]string{
	"add_dir_header": "bool", "alsologtostderr": "bool", "legacy_stderr_threshold_behavior": "bool",
	"logtostderr": "bool", "one_output": "bool", "skip_headers": "bool", "skip_log_headers": "bool",
	"log_dir": "text", "log_file": "text", "log_file_max_size": "text", "stderrthreshold": "text",
	"alsologtostderrthreshold": "text",
}

func addIgnoredFlags(fs *flag.FlagSet) {
	for name, kind := range ignoredFlags {
		fs.Var(newValue(new(string), kind, "", parseText), name, ignoredNote)
	}
}

// addWeftFlags adds the flags of an agent that flanneld does not have.
func addWeftFlags(fs *flag.FlagSet, s *settings) {
	addExceptFlag(fs, &s.trafficSettings)
	fs.Var(newValue(&s.table, "name", "", parseTable), "nft-table",
		"name of weft's nftables table; default weft, or weft.VNI for a VNI other than 1; two networks without a VNI on one host need two names")
	fs.Var(newValue(&s.fastPath, "off|auto", "", parseFastPath), "fast-path",
		"carry packets between pods of CNI type weft past the kernel's routing, by eBPF programs: never (off), or where nothing but speed changes by it (auto; a preview); default: as FastPath in the network's config, else off")
	addDirFlags(fs, &s.dirSettings)
	fs.Var(newValue(&s.lockDir, "directory", defaultLockDir, parseDir), "lock-dir",
		"directory of the locks that keep two agents of this host from using the same devices, tables or networks; must be the same for all of them")
	fs.Var(newValue(&s.resync, "time", strings.TrimSuffix(agent.DefaultResync.String(), "0s"), parsePeriod), "resync",
		"full resync interval; changes that the kernel reports are handled immediately")
	fs.Var(newValue(&s.metrics, "local|weft|all", string(api.MetricsLocal), parseMetrics), "metrics",
		"metrics that other hosts can read at the health port: none (local), weft's own (weft), or also those of the process and the Go runtime (all)")
	fs.Var(newValue(&s.uiPort, "port", "0", parseInt(0, 65535, "")), "ui-port",
		"port of the loopback address on which the page of 'weft ui' is served; the link to it is in the file ui-link of --run-dir; 0 turns it off")
	fs.Var(newValue(&s.level, "level", "", parseLevel), "log-level", "log level: debug, info, warn or error (default: set by --v)")
	fs.Var(newValue(&s.format, "format", "text", parseFormat), "log-format", "log format: text or json")
}

const (
	defaultStateDir = "/var/lib/weft"
	defaultRunDir   = "/run/weft"
	defaultLockDir  = "/run/weft/locks"
)

func addDirFlags(fs *flag.FlagSet, d *dirSettings) {
	fs.Var(newValue(&d.stateDir, "directory", defaultStateDir, parseDir), "state-dir",
		"what an agent keeps across reboots: its identity, a copy of the last snapshot, the embedded store")
	addRunDirFlag(fs, d)
}

func addRunDirFlag(fs *flag.FlagSet, d *dirSettings) {
	fs.Var(newValue(&d.runDir, "directory", defaultRunDir, parseDir), "run-dir", "directory of a running agent's socket")
}

func parsePeriod(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && d < time.Second {
		err = fmt.Errorf("must be at least 1s")
	}
	return d, err
}

func parseLevel(s string) (string, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s)); err != nil {
		return "", fmt.Errorf("must be debug, info, warn or error")
	}
	return s, nil
}

func parseTable(s string) (string, error) {
	if s != "" && !owned.IsTableName(s) {
		return "", fmt.Errorf("must be weft, or weft. and up to 24 small letters, digits and hyphens")
	}
	return s, nil
}

func parseFastPath(s string) (netconf.Choice, error) {
	c, ok := netconf.ParseFastPath(s)
	if !ok && s != "" {
		return c, fmt.Errorf("must be %s or %s", netconf.FastPathOff, netconf.FastPathAuto)
	}
	return c, nil
}

func parseMetrics(s string) (api.Metrics, error) {
	switch m := api.Metrics(s); m {
	case api.MetricsLocal, api.MetricsWeft, api.MetricsAll:
		return m, nil
	}
	return "", fmt.Errorf("must be local, weft or all")
}

func parseFormat(s string) (string, error) {
	if s != "text" && s != "json" {
		return "", fmt.Errorf("must be text or json")
	}
	return s, nil
}

// healthAddr is where the health server listens.
func (s *settings) healthAddr() netip.AddrPort {
	return netip.AddrPortFrom(s.healthIP, uint16(s.healthPort))
}
