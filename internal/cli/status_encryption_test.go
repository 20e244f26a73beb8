package cli

import (
	"testing"

	"github.com/weft-net/weft/internal/api"
)

func TestEncryptionLine(t *testing.T) {
	none, some := uint64(0), uint64(7)
	for _, c := range []struct {
		e       api.Encryption
		verdict verdict
		want    string
	}{
		{api.Encryption{Encrypted: 2, Peers: 2, By: api.ByKernel}, good, "2 of 2 peers, WireGuard in the kernel"},
		{api.Encryption{Encrypted: 1, Peers: 2, By: api.ByUserSpace}, doubt, "1 of 2 peers, WireGuard in user space (about an eighth of vxlan's throughput)"},
		{api.Encryption{Encrypted: 1, Peers: 2, By: api.ByKernel, Strict: true, Refused: &none}, good, "1 of 2 peers, WireGuard in the kernel; strict"},
		{api.Encryption{Encrypted: 1, Peers: 2, By: api.ByKernel, Strict: true, Refused: &some}, doubt, "1 of 2 peers, WireGuard in the kernel; strict: 7 packets refused that would have travelled in clear"},
	} {
		if got, v := encryptionLine(c.e), encryptionVerdict(c.e); got != c.want || v != c.verdict {
			t.Errorf("%q (%v), want %q (%v)", got, v, c.want, c.verdict)
		}
	}
}
