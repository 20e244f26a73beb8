package wireguard

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weft-net/weft/internal/netstate"
)

// Data is what a host announces about its end of the tunnels: flannel's
// BackendData, {"PublicKey":"...","Port":51820}.
type Data struct {
	Key  netstate.WGKey
	Port uint16 // UDP, that it listens on; 0: the config's, as earlier flannel says
}

// Marshal writes d as flannel does.
func (d Data) Marshal() json.RawMessage {
	return fmt.Appendf(nil, `{"PublicKey":%q,"Port":%d}`, d.Key, d.Port)
}

// ParseData reads what a host announced.
func ParseData(raw json.RawMessage) (Data, error) {
	if len(raw) == 0 {
		return Data{}, errors.New("no backend data, so its public key is unknown")
	}
	var doc struct {
		PublicKey string
		Port      uint16
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Data{}, fmt.Errorf(`backend data %.80s is not of the form {"PublicKey":"...","Port":51820}`, raw)
	}
	key, err := netstate.ParseWGKey(doc.PublicKey)
	if err != nil {
		return Data{}, fmt.Errorf("PublicKey: %w", err)
	}
	return Data{Key: key, Port: doc.Port}, nil
}
