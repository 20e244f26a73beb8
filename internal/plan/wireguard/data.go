package wireguard

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weft-net/weft/internal/netconf"
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

// PeerPort returns the port on which a host listens for packets of an overlay's family, by
// the data that it announces. Where one device carries both families, IPv4's tells: with
// IPv6's, flannel announces ListenPortV6 in every mode, on which nobody listens there.
func PeerPort(conf netconf.WireGuard, f netconf.Family, of func(netconf.Family) json.RawMessage) uint16 {
	raw := of(f)
	if conf.Mode != netconf.Separate && len(of(netconf.V4)) > 0 {
		raw = of(netconf.V4)
	}
	data, err := ParseData(raw)
	flannels := conf.Mode != netconf.Separate && len(of(netconf.V4)) == 0 && data.Port == conf.ListenPortV6
	if err != nil || data.Port == 0 || flannels {
		return Port(conf, f)
	}
	return data.Port
}
