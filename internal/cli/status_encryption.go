package cli

import (
	"fmt"

	"github.com/weft-net/weft/internal/api"
)

// encryptionVerdict is good if nothing travels in clear: packets that are refused do not.
func encryptionVerdict(e api.Encryption) verdict {
	if e.Encrypted < e.Peers && !e.Strict || e.Refused != nil && *e.Refused > 0 {
		return doubt
	}
	return good
}

// encryptionLine says to how many peers packets travel encrypted, and by what.
func encryptionLine(e api.Encryption) string {
	line := fmt.Sprintf("%d of %d peers, WireGuard in ", e.Encrypted, e.Peers)
	if e.By == api.ByUserSpace {
		line += "user space (about an eighth of vxlan's throughput)"
	} else {
		line += "the kernel"
	}
	if e.Strict {
		line += "; strict"
	}
	if e.Refused != nil && *e.Refused > 0 {
		line += fmt.Sprintf(": %d packets refused that would have travelled in clear", *e.Refused)
	}
	return line
}
