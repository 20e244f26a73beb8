package flannel

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/kernel/bridge"
)

// The delegate bridge gives its bridge the gateway address of the host's
// subnet, and refuses to if another IPv4 address is there: so when the host gets
// another subnet, no container could be added while those of the previous one
// need their gateway. Here the bridge then gets both addresses, and the delegate
// is told to leave them alone. The previous address goes with the last container
// that needs it.

// bridged is the part of the delegate's config that is about gateways.
type bridged struct {
	Type           string `json:"type"`
	Bridge         string `json:"bridge"`
	Gateway        bool   `json:"isGateway"`
	DefaultGateway bool   `json:"isDefaultGateway"`
	VLAN           int    `json:"vlan"`
	IPAM           struct {
		Type   string       `json:"type"`
		Subnet netip.Prefix `json:"subnet"` // instead of ranges, in records of flannel's plugin
		Ranges [][]struct {
			Subnet netip.Prefix `json:"subnet"`
		} `json:"ranges"`
	} `json:"ipam"`
}

// bridgedOf reads the config of a delegate; ok is false if that gives no bridge
// an address that can be told from the config alone.
func bridgedOf(conf object) (b bridged, ok bool) {
	text, err := json.Marshal(conf)
	if err == nil {
		b.Bridge = "cni0" // unless the config says otherwise
		err = json.Unmarshal(text, &b)
	}
	return b, err == nil && b.Type == "bridge" && b.Bridge != "" && b.IPAM.Type == "host-local" && (b.Gateway || b.DefaultGateway)
}

// device is the device that has the gateway addresses.
func (b bridged) device() string {
	if b.VLAN != 0 {
		return fmt.Sprintf("%s.%d", b.Bridge, b.VLAN)
	}
	return b.Bridge
}

// gateways returns the address of the bridge in each subnet, the first one, as
// host-local has it.
func (b bridged) gateways() (out []netip.Prefix) {
	if b.IPAM.Subnet.IsValid() {
		out = append(out, gatewayIn(b.IPAM.Subnet))
	}
	for _, set := range b.IPAM.Ranges {
		for _, r := range set {
			if r.Subnet.IsValid() {
				out = append(out, gatewayIn(r.Subnet))
			}
		}
	}
	return out
}

func gatewayIn(subnet netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(subnet.Masked().Addr().Next(), subnet.Bits())
}

// inTheWay returns those of the addresses of a device because of which the
// delegate would not add gateway (ensureAddr of the plugin bridge): any IPv4
// address that it finds before the gateway, and an IPv6 one if the two subnets
// overlap.
func inTheWay(addrs []netip.Prefix, gateway netip.Prefix) (out []netip.Prefix) {
	for _, a := range addrs {
		switch {
		case a == gateway:
			return out
		case a.Addr().Is4() != gateway.Addr().Is4():
		case a.Addr().Is4() || a.Overlaps(gateway):
			out = append(out, a)
		}
	}
	return out
}

// makeRoom returns the config by which the delegate can add a container: conf,
// unless its bridge has the gateway of another subnet. If no container is on the
// bridge, that gateway is removed.
func makeRoom(conf object) (object, error) {
	b, ok := bridgedOf(conf)
	if !ok {
		return conf, nil
	}
	d, err := bridge.Open(b.device())
	if d == nil {
		return conf, err
	}
	defer func() { _ = d.Close() }() // all is done
	others, err := b.others(d)
	if err != nil || len(others) == 0 {
		return conf, err
	}
	if err := b.clear(d, others); err != nil {
		return nil, err
	}
	if others, err = b.others(d); err != nil || len(others) == 0 {
		return conf, err
	}
	for _, g := range b.gateways() {
		if err := d.Add(g); err != nil {
			return nil, err
		}
	}
	return b.withoutGateway(conf)
}

// others returns the addresses of d that are in the way of a gateway.
func (b bridged) others(d *bridge.Device) (out []netip.Prefix, err error) {
	addrs, err := d.Addresses()
	for _, g := range b.gateways() {
		out = append(out, inTheWay(addrs, g)...)
	}
	return out, err
}

// clear removes former gateways among others from d if the bridge has no ports.
func (b bridged) clear(d *bridge.Device, others []netip.Prefix) error {
	ports := d
	if b.VLAN != 0 {
		under, err := bridge.Open(b.Bridge)
		if under == nil {
			return err
		}
		defer func() { _ = under.Close() }() // it is only read
		ports = under
	}
	n, err := ports.Ports()
	if err != nil || n > 0 {
		return err
	}
	for _, a := range others {
		if a != gatewayIn(a) {
			continue
		}
		if err := d.Remove(a); err != nil {
			return err
		}
	}
	return nil
}

// withoutGateway returns conf for a bridge that has its addresses already: the
// same for the container, whose default routes are in the config then.
func (b bridged) withoutGateway(conf object) (object, error) {
	out := object{}
	for key, value := range conf {
		out[key] = value
	}
	no := json.RawMessage("false")
	out["isGateway"], out["isDefaultGateway"], out["forceAddress"] = no, no, no
	if !b.DefaultGateway {
		return out, nil
	}
	ipam := object{}
	if err := json.Unmarshal(conf["ipam"], &ipam); err != nil {
		return nil, err
	}
	var routes []object
	if present(ipam["routes"]) {
		if err := json.Unmarshal(ipam["routes"], &routes); err != nil {
			return nil, err
		}
	}
	routed := destinations(routes)
	for _, g := range b.gateways() {
		dst := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		if g.Addr().Is4() {
			dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		}
		if !slices.Contains(routed, dst) {
			routes = append(routes, object{"dst": quoted(dst), "gw": quoted(g.Addr())})
		}
	}
	var err error
	if ipam["routes"], err = json.Marshal(routes); err == nil {
		out["ipam"], err = json.Marshal(ipam)
	}
	return out, err
}

func quoted(v fmt.Stringer) json.RawMessage { return json.RawMessage(`"` + v.String() + `"`) }
