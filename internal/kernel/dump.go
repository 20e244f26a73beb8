package kernel

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// Dump copies all that the kernel knows about the host's network, whoever made it.
// A firewall that cannot be read is no error: the copy says so. legacy says whether the
// iptables-legacy program may be run to read its tables.
func (k *Kernel) Dump(ctx context.Context, legacy bool) (*netdump.Host, error) {
	d := dumper{}
	d.out.At = time.Now()
	if err := k.dumpObjects(ctx, &d); err != nil {
		return nil, fmt.Errorf("copy the kernel's network objects: %w", err)
	}
	k.dumpWireGuard(&d)
	var err error
	if d.out.Firewall, err = k.nft.Dump(ctx); err != nil {
		d.out.Firewall = netdump.Firewall{Absent: err.Error()}
	}
	if legacy {
		d.out.Legacy = k.legacy.readBarriers(ctx)
	}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		d.out.Release = unix.ByteSliceToString(uts.Release[:])
	}
	d.out.Params, err = k.Params(ctx, d.parameters())
	return &d.out, err
}

// Firewall copies the nftables ruleset alone.
func (k *Kernel) Firewall(ctx context.Context) (netdump.Firewall, error) { return k.nft.Dump(ctx) }

// Count returns how many packets the rules of a chain of ours have counted.
func (k *Kernel) Count(ctx context.Context, table, chain string) (uint64, error) {
	return k.counters.Count(ctx, table, chain)
}

func (k *Kernel) dumpObjects(ctx context.Context, d *dumper) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	d.conn = k.conn
	for _, step := range []func() error{d.links, d.addrs, d.routes, d.rules, d.neighs, d.forwarding} {
		if err := again(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// dumper is one copy. Each of its steps may be repeated.
type dumper struct {
	conn  *rtnl.Conn
	names map[int32]string
	wg    []link // the WireGuard devices
	out   netdump.Host
}

func (d *dumper) links() error {
	all, err := readLinks(d.conn, "")
	if err != nil {
		return err
	}
	d.names, d.out.Links, d.wg = map[int32]string{}, nil, nil
	for _, l := range all {
		d.names[l.index] = l.Name
	}
	for _, l := range all {
		if l.Kind == netstate.KindWireGuard {
			d.wg = append(d.wg, l)
		}
		d.out.Links = append(d.out.Links, netdump.Link{
			Index: int(l.index), Name: l.Name, Kind: l.Kind, MTU: l.MTU, MAC: net.HardwareAddr(l.mac).String(), Up: l.Up,
			Carrier: l.flags&unix.IFF_LOWER_UP != 0, Loopback: l.flags&unix.IFF_LOOPBACK != 0, NoARP: l.flags&unix.IFF_NOARP != 0,
			Master: d.names[l.master], Lower: d.names[l.lower], VNI: l.VNI, Local: l.Local, Port: l.Port, Table: l.vrfTable,
		})
	}
	return nil
}

func (d *dumper) addrs() error {
	d.out.Addrs = nil
	return codec.ReadAddrs(d.conn, 0, func(a codec.Addr) {
		d.out.Addrs = append(d.out.Addrs, netdump.Addr{Prefix: a.Prefix, Dev: d.names[a.Index]})
	})
}

func (d *dumper) routes() error {
	d.out.Routes = nil
	for _, f := range netconf.Families {
		err := codec.Routes{}.Read(d.conn, afOf(f), func(r codec.Route) {
			if r.Flags&unix.RTM_F_CLONED == 0 {
				d.out.Routes = append(d.out.Routes, d.route(r))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) route(r codec.Route) netdump.Route {
	out := netdump.Route{
		Kind: routeKind(r.Kind), Dst: r.Dst, Src: r.Src, Metric: r.Metric, Table: r.Table, Proto: r.Protocol,
		OnLink: r.Flags&unix.RTNH_F_ONLINK != 0,
	}
	for _, h := range r.Hops() {
		out.Hops = append(out.Hops, netdump.Hop{Via: h.Via, Dev: d.names[h.Dev]})
	}
	return out
}

func routeKind(kind uint8) string {
	names := []string{"unspec", netdump.Unicast, netdump.Local, "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat"}
	if int(kind) < len(names) {
		return names[kind]
	}
	return fmt.Sprint(kind)
}

func (d *dumper) rules() (err error) {
	d.out.Rules, err = readPolicy(d.conn)
	return err
}

func (d *dumper) neighs() error {
	d.out.Neighs = nil
	for _, f := range netconf.Families {
		err := d.entries(afOf(f), func(n codec.Neigh) {
			one := netdump.Neigh{Addr: n.Dst, Dev: d.names[n.Index], State: neighState(n.State)}
			if n.HasMAC {
				one.MAC = n.MAC.String()
			}
			if n.State&unix.NUD_NOARP == 0 {
				d.out.Neighs = append(d.out.Neighs, one)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) forwarding() error {
	d.out.FDB = nil
	return d.entries(unix.AF_BRIDGE, func(n codec.Neigh) {
		if n.HasMAC {
			d.out.FDB = append(d.out.FDB, netdump.FDB{MAC: n.MAC.String(), Dst: n.Dst, Dev: d.names[n.Index]})
		}
	})
}

// entries lists the neighbours or forwarding entries of all devices.
func (d *dumper) entries(family uint8, yield func(codec.Neigh)) error {
	var b rtnl.Batch
	b.Message(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, codec.NeighHeader(family, 0, 0, 0)...)
	for m, err := range d.conn.Dump(&b) {
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		if n, ok := codec.DecodeNeigh(m); ok {
			yield(n)
		}
	}
	return nil
}

// neighState is a NUD_* state in lower case, as ip(8) prints it in upper case.
func neighState(state uint16) string {
	for i, name := range []string{"incomplete", "reachable", "stale", "delay", "probe", "failed", "noarp", "permanent"} {
		if state&(1<<i) != 0 {
			return name
		}
	}
	return "none"
}

// parameters lists the parameters that decide whether packets pass.
func (d *dumper) parameters() (names []string) {
	devs := []string{"all", "default"}
	for _, l := range d.out.Links {
		devs = append(devs, strings.ReplaceAll(l.Name, "/", "."))
	}
	for _, dev := range devs {
		for _, key := range []string{"forwarding", "rp_filter", "arp_ignore", "accept_redirects", "accept_local"} {
			names = append(names, netconf.V4.Conf(dev, key))
		}
		for _, key := range []string{"forwarding", "disable_ipv6", "accept_ra"} {
			names = append(names, netconf.V6.Conf(dev, key))
		}
	}
	for _, f := range netconf.Families {
		names = append(names, host.Forwarding(f), host.NeighLimit(f))
	}
	return slices.Concat(names, []string{
		host.ConnLimit, "net/netfilter/nf_conntrack_count", "net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables",
		"net/ipv4/ip_forward_use_pmtu", "net/ipv4/ip_no_pmtu_disc", "net/core/devconf_inherit_init_net",
	})
}
