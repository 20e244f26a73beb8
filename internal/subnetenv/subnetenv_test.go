package subnetenv

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func prefixList(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestFormatIsFlannels(t *testing.T) {
	for name, tc := range map[string]struct {
		env  Env
		want string
	}{
		"ipv4": {
			Env{Networks: prefixList("10.5.0.0/16"), Subnets: prefixList("10.5.72.0/24"), MTU: 1450, IPMasq: true},
			"FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.72.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
		},
		"ipv6": {
			Env{Networks: prefixList("fc00::/48"), Subnets: prefixList("fc00:0:0:5::/64"), MTU: 1430},
			"FLANNEL_IPV6_NETWORK=fc00::/48\nFLANNEL_IPV6_SUBNET=fc00:0:0:5::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n",
		},
		"dual": {
			Env{Networks: prefixList("10.5.0.0/16", "fc00::/48"), Subnets: prefixList("10.5.72.0/24", "fc00:0:0:5::/64"), MTU: 1430},
			"FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.72.1/24\nFLANNEL_IPV6_NETWORK=fc00::/48\nFLANNEL_IPV6_SUBNET=fc00:0:0:5::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n",
		},
	} {
		if got := string(tc.env.Format()); got != tc.want {
			t.Errorf("%s:\n%s", name, got)
		}
		back, err := Parse([]byte(tc.want))
		if err != nil || !reflect.DeepEqual(back, tc.env) {
			t.Errorf("%s read back as %+v, %v", name, back, err)
		}
	}
}

func TestParseTakesHandwrittenFiles(t *testing.T) {
	e, err := Parse([]byte("# pinned\n FLANNEL_SUBNET=\"172.7.21.1/24\"\nFOO=bar\n\nFLANNEL_NETWORK=172.7.0.0/16,172.8.0.0/16\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Env{Networks: prefixList("172.7.0.0/16", "172.8.0.0/16"), Subnets: prefixList("172.7.21.0/24")}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v", e)
	}
}

func TestParseNamesTheKey(t *testing.T) {
	for _, text := range []string{"FLANNEL_SUBNET=172.7.21", "FLANNEL_SUBNET=fc00::/64", "FLANNEL_IPV6_SUBNET=10.0.0.0/24"} {
		key, _, _ := strings.Cut(text, "=")
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

func TestWriteRenamesAndLeavesEqualFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "flannel", "subnet.env")
	env := Env{Networks: prefixList("10.5.0.0/16"), Subnets: prefixList("10.5.72.0/24"), MTU: 1450}
	if err := Write(path, env); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil || before.Mode().Perm() != 0o644 {
		t.Fatal(before.Mode(), err)
	}
	if err := Write(path, env); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !os.SameFile(before, after) {
		t.Error("an equal file was written again")
	}
	env.MTU = 1400
	if err := Write(path, env); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); os.SameFile(before, after) {
		t.Error("the file was changed in place, not by rename")
	}
	if got, err := Read(path); err != nil || got.MTU != 1400 {
		t.Error(got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.72.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse(data)
		if err != nil {
			return
		}
		for _, s := range e.Subnets {
			if s != s.Masked() {
				t.Errorf("%q gives the unmasked subnet %s", data, s)
			}
		}
	})
}
