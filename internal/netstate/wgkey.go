package netstate

import (
	"encoding/base64"
	"fmt"
)

// WGKey is a public key of WireGuard (Curve25519). A private one never is in a row.
type WGKey [32]byte

// IsZero reports whether k is no key.
func (k WGKey) IsZero() bool { return k == WGKey{} }

// String is k in base64, as wg(8) writes it.
func (k WGKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// ParseWGKey reads what String wrote. The zero key is refused: it is none.
func ParseWGKey(s string) (k WGKey, err error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err == nil && len(raw) == len(k) {
		copy(k[:], raw)
	}
	if k.IsZero() {
		return WGKey{}, fmt.Errorf("%.60q is not a WireGuard key: 32 bytes in base64", s)
	}
	return k, nil
}
