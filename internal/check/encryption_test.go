package check_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/check"
	"github.com/weft-net/weft/internal/explain/explaintest"
	"github.com/weft-net/weft/internal/netdump"
)

// encryptedFacts are those of a host that reaches h3 encrypted, with the packets that were sent
// to prove it, all answered.
func encryptedFacts() check.Facts {
	f := check.Facts{Facts: explaintest.Facts()}
	explaintest.Encrypted(&f.Facts)
	f.Status.Peers = f.Status.Peers[1:]
	f.Status.Backend = "wireguard"
	f.Status.Encryption = &api.Encryption{Encrypted: 1, Peers: 1}
	f.Kernel.Addrs = append(f.Kernel.Addrs, netdump.Addr{Prefix: netip.MustParsePrefix("10.5.1.0/32"), Dev: "flannel-wg"})
	f.Marks, _ = check.Marks(&f)
	for i := range f.Marks {
		f.Marks[i].Answered = true
	}
	return f
}

func TestEncryption(t *testing.T) {
	for want, change := range map[string]func(*check.Facts){
		"ok marked packets to 1 peer were answered": func(*check.Facts) {},
		"failed h3: packets to 10.5.3.0, or their answers, travel in clear: seen on eth0": func(f *check.Facts) {
			f.Marks[0].Clear = []string{"eth0"}
		},
		"warning marked packets are not seen in clear, but were not answered by h3": func(f *check.Facts) { f.Marks[0].Answered = false },
		"warning 7 frames came too fast":                                            func(f *check.Facts) { f.MarksMissed = 7 },
		"skipped no marked packets were sent: not permitted":                        func(f *check.Facts) { f.Marks, f.MarksErr = nil, "not permitted" },
		"warning no peer is reached encrypted yet; 1 of 1 peers are not reached encrypted: packets to them travel in clear": func(f *check.Facts) {
			f.Marks, f.Status.Encryption.Encrypted = nil, 0
		},
		"warning no peer is reached encrypted yet; 1 of 1 peers are not reached encrypted: packets to them are refused": func(f *check.Facts) {
			f.Marks, f.Status.Encryption.Encrypted, f.Status.Encryption.Strict = nil, 0, true
		},
		"ok marked packets to 1 peer were answered, and": func(f *check.Facts) { f.Status.Backend, f.Status.Encryption.Peers = "vxlan", 2 }, // a change away from wireguard
		"": func(f *check.Facts) { f.Status.Backend, f.Status.Encryption.Encrypted = "vxlan", 0 },
	} {
		f := encryptedFacts()
		change(&f)
		got := ""
		for _, r := range check.Run(f) {
			if r.Name == "encryption" {
				got += string(r.State) + " " + r.Text
			}
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestMarks has a packet go wherever packets to a peer may go.
func TestMarks(t *testing.T) {
	f := encryptedFacts()
	f.Kernel.Routes = append(f.Kernel.Routes, explaintest.Route("10.5.3.128/25", "192.168.7.99", "eth0", 4), explaintest.Route("10.5.3.128/26", "", "eth0", 4))
	marks, hidden := check.Marks(&f)
	var got []string
	for _, m := range marks {
		got = append(got, m.Peer+" "+m.Source.String()+" "+m.Dest.String())
	}
	if want := "h3 10.5.1.0 10.5.3.0, h3 10.5.1.0 10.5.3.128"; strings.Join(got, ", ") != want || len(hidden) != 1 || hidden[0] != "flannel-wg" {
		t.Errorf("%q hidden %q", got, hidden)
	}
}
