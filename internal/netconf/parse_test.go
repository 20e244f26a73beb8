package netconf

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the goldens anew")

// TestParse runs the documents in testdata/*.txtar: each file is followed by
// one of the same name and ": want", with the network or the error.
func TestParse(t *testing.T) {
	for _, name := range []string{"accepted", "refused"} {
		path := filepath.Join("testdata", name+".txtar")
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(ar.Files); i += 2 {
			in, want := ar.Files[i], &ar.Files[i+1]
			if want.Name != in.Name+": want" {
				t.Fatalf("%s: after %q stands %q", path, in.Name, want.Name)
			}
			t.Run(name+"/"+in.Name, func(t *testing.T) {
				net, err := Parse(in.Data)
				if refused := name == "refused"; (err != nil) != refused {
					t.Errorf("Parse: %v", err)
				}
				got := format(net, err)
				if *update {
					want.Data = []byte(got)
				} else if d := cmp.Diff(string(want.Data), got); d != "" {
					t.Errorf("Parse(%s) (-want +got):\n%s", in.Data, d)
				}
			})
		}
		if *update {
			if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func format(n Network, err error) string {
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, r := range n.Ranges {
		fmt.Fprintf(&b, "%s %s: %d times /%d, %s to %s\n", r.Family(), r.Network, r.Count(), r.SubnetLen, r.Min, r.Max)
	}
	b.WriteString(backendText(n.Backend))
	if n.NFTables {
		b.WriteString("nftables\n")
	}
	if !n.Guard {
		b.WriteString("no guard\n")
	}
	if n.FastPath {
		b.WriteString("fast path\n")
	}
	if m := n.Masquerade; m.Nodes || m.Inbound != Unsaid || len(m.Except) > 0 {
		fmt.Fprintf(&b, "masquerade except %v, nodes %t, inbound %t or %t\n", m.Except, m.Nodes, m.Inbound.Or(false), m.Inbound.Or(true))
	}
	for i, keys := range [][]string{n.Unknown, n.Unused, n.Repeated} {
		for _, k := range keys {
			fmt.Fprintf(&b, "%s %s\n", [...]string{"unknown", "unused", "repeated"}[i], k)
		}
	}
	return b.String()
}

func TestDefault(t *testing.T) {
	net, err := Parse(Default())
	if err != nil {
		t.Fatal(err)
	}
	want := "ipv4 10.244.0.0/16: 255 times /24, 10.244.1.0 to 10.244.255.0\n" +
		"backend {Type:vxlan VXLAN:{VNI:1 Port:8472 MTU:0 GBP:false Learning:false DirectRouting:false}}\n"
	if d := cmp.Diff(want, format(net, nil)); d != "" {
		t.Errorf("Parse(Default()) (-want +got):\n%s", d)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"accepted", "refused"} {
		ar, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
		if err != nil {
			f.Fatal(err)
		}
		for i := 0; i < len(ar.Files); i += 2 {
			f.Add(ar.Files[i].Data)
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		net, err := Parse(doc)
		if err != nil {
			return
		}
		if len(net.Ranges) == 0 {
			t.Errorf("Parse(%q) has no range", doc)
		}
		for _, r := range net.Ranges {
			checkRange(t, r)
		}
	})
}

// checkRange fails if r contradicts itself.
func checkRange(t *testing.T, r Range) {
	t.Helper()
	n := r.Count()
	if first := r.At(0); first.Addr() != r.Min {
		t.Errorf("%+v: At(0) = %s", r, first)
	}
	if last := r.At(n - 1); n < math.MaxUint64 && last.Addr() != r.Max {
		t.Errorf("%+v: At(%d) = %s", r, n-1, last)
	}
	if beyond := r.At(n); beyond.IsValid() {
		t.Errorf("%+v: At(Count()) = %s", r, beyond)
	}
	for _, i := range []uint64{0, n / 2, n - 1} {
		p := r.At(i)
		if err := r.Fits(p); err != nil {
			t.Errorf("%+v: At(%d): %v", r, i, err)
		}
		if first, last, ok := r.Cover(p); first != i || last != i || !ok {
			t.Errorf("%+v: Cover(At(%d)) = %d, %d, %v", r, i, first, last, ok)
		}
	}
	if first, last, ok := r.Cover(r.Network); first != 0 || last != n-1 || !ok {
		t.Errorf("%+v: Cover(Network) = %d, %d, %v", r, first, last, ok)
	}
}

// backendText is b with the keys of its type, by %+v, since Backend prints in few words.
func backendText(b Backend) string {
	switch b.Type {
	case "vxlan":
		return fmt.Sprintf("backend {Type:vxlan VXLAN:%+v}\n", b.VXLAN)
	case "wireguard":
		return fmt.Sprintf("backend wireguard %+v\n", b.WireGuard)
	}
	return fmt.Sprintf("backend %+v\n", b.Type)
}
