package docker

import (
	"fmt"
	"strings"
	"testing"
)

const dual = `FLANNEL_NETWORK=172.7.0.0/16
FLANNEL_SUBNET=172.7.21.1/24
FLANNEL_IPV6_NETWORK=fd00:7::/48
FLANNEL_IPV6_SUBNET=fd00:7:0:21::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=false
`

func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct{ env, want string }{
		"dual":         {dual, `[{bip "172.7.21.1/24"} {mtu 1430} {ip-masq true} {ipv6 true} {fixed-cidr-v6 "fd00:7:0:21::/64"}]`},
		"ipv6":         {"FLANNEL_IPV6_SUBNET=fd00:7::1/64\nFLANNEL_MTU=1430", `[{mtu 1430} {ipv6 true} {fixed-cidr-v6 "fd00:7::/64"}]`},
		"own address":  {"FLANNEL_SUBNET=172.7.21.254/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true", `[{bip "172.7.21.254/24"} {mtu 1450} {ip-masq false}]`},
		"no address":   {"FLANNEL_SUBNET=172.7.21.0/24\nFLANNEL_MTU=1450", `[{bip "172.7.21.1/24"} {mtu 1450}]`},
		"pin only":     {"FLANNEL_SUBNET=172.7.21.1/24", "no FLANNEL_MTU"},
		"empty":        {"", "neither FLANNEL_SUBNET nor"},
		"bad masq":     {"FLANNEL_IPMASQ=yes", "FLANNEL_IPMASQ=yes: must be true or false"},
		"bad mtu":      {"FLANNEL_MTU=-1", "FLANNEL_MTU=-1: must be"},
		"bad subnet":   {"FLANNEL_SUBNET=172.7.21", "FLANNEL_SUBNET=172.7.21"},
		"two subnets":  {"FLANNEL_SUBNET=172.7.21.1/24,172.7.22.1/24", "must be one address"},
		"wrong family": {"FLANNEL_IPV6_SUBNET=172.7.21.1/24", "FLANNEL_IPV6_SUBNET"},
	} {
		b, err := ParseBridge([]byte(tc.env))
		var got string
		if err == nil {
			var s []Setting
			s, err = b.Settings()
			got = fmt.Sprint(s)
		}
		if err != nil {
			got = err.Error()
		}
		if exact := err == nil; exact && got != tc.want || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestVariables(t *testing.T) {
	b, err := ParseBridge([]byte("FLANNEL_SUBNET=10.1.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"))
	if err != nil {
		t.Fatal(err)
	}
	const (
		one = "DOCKER_OPT_BIP=\"--bip=10.1.1.1/24\"\nDOCKER_OPT_IPMASQ=\"--ip-masq=false\"\nDOCKER_OPT_MTU=\"--mtu=1450\"\n"
		all = " --bip=10.1.1.1/24 --ip-masq=false --mtu=1450\"\n"
	)
	for name, tc := range map[string]struct {
		form Form
		want string
	}{
		"both":       {Form{}, one + `DOCKER_OPTS="` + all},
		"-i":         {Form{Individual: true}, one},
		"-c":         {Form{Combined: true}, `DOCKER_OPTS="` + all},
		"-i -c":      {Form{Individual: true, Combined: true}, one + `DOCKER_OPTS="` + all},
		"-c -k":      {Form{Combined: true, Key: "NET"}, `NET="` + all},
		"-m":         {Form{NoMasq: true}, "DOCKER_OPT_BIP=\"--bip=10.1.1.1/24\"\nDOCKER_OPT_MTU=\"--mtu=1450\"\nDOCKER_OPTS=\" --bip=10.1.1.1/24 --mtu=1450\"\n"},
		"before":     {Form{Combined: true, Before: "--debug"}, `DOCKER_OPTS="--debug` + all},
		"quotes":     {Form{Combined: true, Before: `--label="a\b"`}, `DOCKER_OPTS="--label=\"a\\b\"` + all},
		"bad key":    {Form{Key: "A-B"}, `"A-B" cannot be a variable's name`},
		"number key": {Form{Key: "1A"}, `"1A" cannot be a variable's name`},
		"lines":      {Form{Before: "a\nb"}, "more than one line"},
	} {
		if tc.form.Key == "" {
			tc.form.Key = "DOCKER_OPTS"
		}
		got, err := Variables(b, tc.form)
		if err != nil && !strings.Contains(err.Error(), tc.want) || err == nil && got != tc.want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	if got, err := Variables(Bridge{}, Form{Key: "DOCKER_OPTS"}); err != nil || got != "DOCKER_OPTS=\"\"\n" {
		t.Errorf("of nothing: %q, %v", got, err)
	}
}
