package check

import (
	"strings"

	"github.com/weft-net/weft/internal/api"
)

// checksums tells what the agent's self-test has shown of packets that leave by a
// tunnel with a checksum that the hardware is to complete.
func checksums(f *Facts) (out []Result) {
	var sound []string
	for _, c := range f.Status.Checksums {
		switch c.State {
		case api.ChecksumSound:
			sound = append(sound, c.Device)
		case api.ChecksumBroken:
			since := "whether packets arrive now is not confirmed yet"
			if c.Arrive {
				since = "packets arrive since"
			}
			out = append(out, one("checksum", Warning,
				"nothing has to be done; another kernel, driver or firmware of "+f.Status.Uplink.Name+" may be free of the fault: docs/guides/troubleshoot.md has how to test again",
				"%s: the hardware does not complete the checksums of tunnelled packets (%s to %s), so tx-checksumming is off on this device; %s", c.Device, c.Protocols, c.Peer, since)...)
		}
	}
	switch {
	case len(out) > 0:
		return out
	case len(sound) > 0:
		return one("checksum", OK, "", "tunnelled packets whose checksum is left to the hardware arrive: %s", strings.Join(sound, ", "))
	case len(f.Status.Checksums) == 0:
		return one("checksum", Skipped, "", "there is no tunnel, or no agent that tests it")
	}
	return one("checksum", Skipped, "", "no peer has answered the self-test of checksums yet")
}
