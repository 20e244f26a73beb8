// Package identity knows which host this is and what tells it apart from
// others, also from a copy of it. It must not decide whose a lease is.
package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"

	"github.com/weft-net/weft/internal/lease"
)

// Where the kernel tells of the machine. The product UUID is for root alone,
// and some machines have none.
const (
	productFile = "/sys/class/dmi/id/product_uuid"
	bootFile    = "/proc/sys/kernel/random/boot_id"
	namespace   = "/proc/self/ns/net"
)

// Mark returns o with what tells its machine, its boot and this run of the
// agent from others. Nothing but hashes leaves the host.
func Mark(o lease.Owner) lease.Owner {
	o.Product = digest("product", read(productFile))
	o.Boot = boot(read(bootFile))
	o.Session = rand.Text()
	return o
}

// boot is another one after each boot, and on each machine, which a copy of the
// state directory or of the whole disk does not change. Containers and network
// namespaces that serve as hosts share their kernel's id, so the namespace
// counts, too.
func boot(id string) string {
	net, err := os.Readlink(namespace)
	if err != nil || id == "" {
		return ""
	}
	return digest("boot", id+" "+net)
}

// read returns a file's text, "" if there is none.
func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// digest is a hash of what, unless that is empty; kind keeps it apart from
// hashes that others make of the same.
func digest(kind, what string) string {
	if what == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("weft " + kind + " " + what))
	return hex.EncodeToString(sum[:12])
}
