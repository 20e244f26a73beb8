package cli

import (
	"flag"
	"testing"
)

// flanneldFlags is flanneld's command line as it is documented: name and
// default.
var flanneldFlags = map[string]string{
	"etcd-endpoints":               "http://127.0.0.1:4001,http://127.0.0.1:2379",
	"etcd-prefix":                  "/coreos.com/network",
	"etcd-keyfile":                 "",
	"etcd-certfile":                "",
	"etcd-cafile":                  "",
	"etcd-username":                "",
	"etcd-password":                "",
	"iface":                        "[]",
	"iface-regex":                  "[]",
	"iface-can-reach":              "",
	"subnet-file":                  "/run/flannel/subnet.env",
	"public-ip":                    "",
	"public-ipv6":                  "",
	"subnet-lease-renew-margin":    "60",
	"ip-masq":                      "false",
	"ip-masq-fully-random-disable": "false",
	"kube-subnet-mgr":              "false",
	"kube-api-url":                 "",
	"kube-annotation-prefix":       "flannel.alpha.coreos.com",
	"kubeconfig-file":              "",
	"version":                      "false",
	"healthz-ip":                   "0.0.0.0",
	"healthz-port":                 "0",
	"iptables-resync":              "5",
	"iptables-forward-rules":       "true",
	"ip-blackhole-route":           "false",
	"net-config-path":              "/etc/kube-flannel/net-conf.json",
	"set-node-network-unavailable": "true",
	"v":                            "0",
	"vmodule":                      "",
	"log_backtrace_at":             "",
}

func TestFlanneldFlagsAreAllThere(t *testing.T) {
	fs := newFlagSet()
	addFlanneldFlags(fs, &settings{})
	fs.VisitAll(func(f *flag.Flag) {
		want, known := flanneldFlags[f.Name]
		if !known {
			t.Errorf("--%s is no flag of flanneld", f.Name)
		}
		if f.DefValue != want {
			t.Errorf("--%s has default %q, flanneld has %q", f.Name, f.DefValue, want)
		}
		if f.Usage == "" {
			t.Errorf("--%s is not explained", f.Name)
		}
	})
	for name := range flanneldFlags {
		if fs.Lookup(name) == nil {
			t.Errorf("--%s of flanneld is missing", name)
		}
	}
}

func TestDefaultsAreSet(t *testing.T) {
	var s settings
	fs := newFlagSet()
	addFlanneldFlags(fs, &s)
	addWeftFlags(fs, &s)
	if got := s.margin().Minutes(); got != 60 {
		t.Errorf("the margin is %v minutes, want 60", got)
	}
	if len(s.endpoints) != 2 || s.prefix != "/coreos.com/network" || !s.forwardRules {
		t.Errorf("defaults did not reach the settings: %+v", s)
	}
	if s.healthAddr().String() != "0.0.0.0:0" || s.stateDir != "/var/lib/weft" || s.runDir != "/run/weft" {
		t.Errorf("defaults did not reach the settings: %+v", s)
	}
}

func TestFlagValues(t *testing.T) {
	for _, test := range []struct {
		flag  string
		good  []string
		wrong []string
	}{
		{"etcd-endpoints", []string{"http://a:1", "https://a:1,https://b:2", "a:2379", "10.0.0.1:2379", "[fd00::1]:2379", "unix:///run/e.sock"},
			[]string{"", ",", "ftp://a:1", "http://", "http://a:1/coreos.com"}},
		{"etcd-prefix", []string{"/a", "a/b", "/a/b/"}, []string{"", "/", "/a//b", "/a b"}},
		{"iface", []string{"eth0", "10.0.0.1", "eth0,eth1"}, []string{"", " , "}},
		{"iface-regex", []string{"^eth[0-9]{1,2}$"}, []string{"", "(", "[a"}},
		{"iface-can-reach", []string{"", "10.0.0.1", "fd00::1"}, []string{"0.0.0.0", "x", "224.0.0.1", "fe80::1%eth0"}},
		{"public-ip", []string{"", "192.0.2.1"}, []string{"fd00::1", "192.0.2", "0.0.0.0", "::ffff:192.0.2.1"}},
		{"public-ipv6", []string{"", "fd00::1"}, []string{"192.0.2.1", "::ffff:192.0.2.1", "::"}},
		{"subnet-lease-renew-margin", []string{"1", "1439"}, []string{"0", "1440", "-1", "60m", ""}},
		{"healthz-ip", []string{"0.0.0.0", "::", "127.0.0.1"}, []string{"localhost", "1.2.3"}},
		{"healthz-port", []string{"0", "65535"}, []string{"-1", "65536", "http"}},
		{"iptables-resync", []string{"1"}, []string{"0", "x"}},
		{"ip-masq-except", []string{"nodes", "10.0.0.0/8,fd00::/8", "10.9.0.1/16, nodes"}, []string{"", "10.0.0.1", "node", "10.0.0.0/8,"}},
		{"ip-masq", []string{"true", "false", "1"}, []string{"yes", ""}},
		{"kube-annotation-prefix", []string{"a.b", "a.b/c"}, []string{"a/b/c"}},
		{"log-level", []string{"debug", "INFO", "warn", "error"}, []string{"loud", ""}},
		{"log-format", []string{"text", "json"}, []string{"xml"}},
		{"resync", []string{"1s", "24h"}, []string{"0", "10", "1ms", "-2m"}},
		{"state-dir", []string{"/x", "x"}, []string{""}},
		{"v", []string{"0", "10"}, []string{"x"}},
	} {
		set := func(text string) error {
			fs := newFlagSet()
			addFlanneldFlags(fs, &settings{})
			addWeftFlags(fs, &settings{})
			return fs.Set(test.flag, text)
		}
		for _, text := range test.good {
			if err := set(text); err != nil {
				t.Errorf("--%s %q was refused: %v", test.flag, text, err)
			}
		}
		for _, text := range test.wrong {
			if err := set(text); err == nil {
				t.Errorf("--%s %q was taken", test.flag, text)
			}
		}
	}
}

func TestListsReplaceTheirDefaultAndGrow(t *testing.T) {
	to := []string{"default"}
	l := &list{to: &to, parse: parseNames}
	for _, text := range []string{"a,b", "c"} {
		if err := l.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.String(); got != "[a,b,c]" {
		t.Errorf("got %s, want [a,b,c]", got)
	}
}

func TestVerbosityAndLevel(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "INFO"},
		{[]string{"-v=2"}, "INFO"},
		{[]string{"-v=4"}, "DEBUG"},
		{[]string{"-v=10", "--log-level=warn"}, "WARN"},
	} {
		var s settings
		fs := newFlagSet()
		addFlanneldFlags(fs, &s)
		addWeftFlags(fs, &s)
		if err := fs.Parse(test.args); err != nil {
			t.Fatal(err)
		}
		if got := s.slogLevel().String(); got != test.want {
			t.Errorf("%v logs from %s on, want %s", test.args, got, test.want)
		}
	}
}

func TestEnvironmentOrder(t *testing.T) {
	env := map[string]string{"FLANNELD_A": "old", "WEFT_A": "new", "FLANNELD_B_C": "old", "WEFT_D": "new", "WEFT_E": ""}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	got := map[string]string{}
	bad := applyEnv(lookup, []string{"a", "b-c", "d", "e", "f"}, func(name string) bool { return name == "d" },
		func(name, text string) error { got[name] = text; return nil })
	want := map[string]string{"a": "new", "b-c": "old"}
	if len(bad) != 0 || len(got) != len(want) || got["a"] != want["a"] || got["b-c"] != want["b-c"] {
		t.Errorf("got %v, %v; want %v", got, bad, want)
	}
}
