package flannel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"

	"github.com/weft-net/weft/internal/cni"
)

// host-local records addresses by the name of the network. All networks of type
// flannel on a host have the host's subnets as their ranges, so that two
// networks (Multus) would be given the same addresses. What other networks have
// on record is therefore left out of the ranges.

// pools is host-local's directory, with one of each network in it.
const pools = "/var/lib/cni/networks"

// pool is the part of the delegate's config that says where its addresses are
// recorded, and of which ranges they are.
type pool struct {
	Name string `json:"name"`
	IPAM struct {
		Type    string `json:"type"`
		DataDir string `json:"dataDir"`
		Ranges  [][]struct {
			Subnet netip.Prefix `json:"subnet"`
		} `json:"ranges"`
	} `json:"ipam"`
}

// poolOf reads the config of a delegate; ok is false if its addresses are not
// host-local's.
func poolOf(conf object) (p pool, ok bool) {
	text, err := json.Marshal(conf)
	if err == nil {
		p.IPAM.DataDir = pools
		err = json.Unmarshal(text, &p)
	}
	return p, err == nil && p.IPAM.Type == "host-local" && p.Name != ""
}

// elsewhere returns the addresses that other networks have on record, sorted.
func (p pool) elsewhere() (out []netip.Addr) {
	paths, _ := filepath.Glob(filepath.Join(p.IPAM.DataDir, "*", "*")) // the pattern is valid
	for _, path := range paths {
		a, err := netip.ParseAddr(filepath.Base(path))
		if err == nil && filepath.Base(filepath.Dir(path)) != p.Name {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// has reports whether another network has a on record.
func (p pool) has(a netip.Addr) bool { return slices.Contains(p.elsewhere(), a) }

// avoidOthers returns conf with ranges that lack what other networks have.
func avoidOthers(conf object) (object, error) {
	p, ok := poolOf(conf)
	if !ok {
		return conf, nil
	}
	others := p.elsewhere()
	if len(others) == 0 {
		return conf, nil
	}
	sets := [][]map[string]any{}
	for _, set := range p.IPAM.Ranges {
		parts := []map[string]any{}
		for _, r := range set {
			parts = append(parts, without(r.Subnet, others)...)
		}
		if len(parts) == 0 {
			return nil, types.NewError(types.ErrTryAgainLater, fmt.Sprintf("all addresses of this host's subnets are used by other networks, see %s", p.IPAM.DataDir), "")
		}
		sets = append(sets, parts)
	}
	ipam := object{}
	err := json.Unmarshal(conf["ipam"], &ipam)
	if err == nil {
		ipam["ranges"], err = json.Marshal(sets)
	}
	out := object{}
	for key, value := range conf {
		out[key] = value
	}
	if err == nil {
		out["ipam"], err = json.Marshal(ipam)
	}
	return out, err
}

// without returns the ranges of a subnet around the addresses of a sorted list.
func without(subnet netip.Prefix, list []netip.Addr) (out []map[string]any) {
	from := netip.Addr{} // the first one, as host-local has it
	add := func(to netip.Addr) {
		part := map[string]any{"subnet": subnet}
		if from.IsValid() {
			part["rangeStart"] = from
		}
		if to.IsValid() {
			part["rangeEnd"] = to
		}
		out = append(out, part)
	}
	first := subnet.Masked().Addr().Next()
	for _, a := range list {
		if !subnet.Contains(a) || a.Less(first) {
			continue
		}
		if begin := from; !begin.IsValid() && first.Less(a) || begin.IsValid() && begin.Less(a) {
			add(a.Prev())
		}
		from = a.Next()
	}
	if !from.IsValid() || subnet.Contains(from) && from != last(subnet) {
		add(netip.Addr{})
	}
	return out
}

// last returns the last address of a subnet, which for IPv4 is broadcast's.
func last(subnet netip.Prefix) netip.Addr {
	a := subnet.Masked().Addr().AsSlice()
	for bit := subnet.Bits(); bit < 8*len(a); bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	out, _ := netip.AddrFromSlice(a) // of the same length
	return out
}

// maxClashes bounds how often an ADD is tried again because another network has
// got the same address at the same moment.
const maxClashes = 10

// addApart has the delegate connect the container with addresses that no other
// network has.
func addApart(ctx context.Context, r cni.Request, conf object) (types.Result, error) {
	for try := 1; ; try++ {
		now, err := avoidOthers(conf)
		if err != nil {
			return nil, err
		}
		d, err := newDelegate(now)
		if err != nil {
			return nil, err
		}
		result, err := d.add(ctx, r)
		if err != nil || !clashes(conf, result) {
			return result, err
		}
		if try == maxClashes {
			return nil, types.NewError(types.ErrTryAgainLater, "another network allocates the same addresses at the same moment", "")
		}
		del := r
		del.Command = "DEL"
		if err := d.do(ctx, del); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rand.N(time.Duration(try) * 20 * time.Millisecond)):
		}
	}
}

// clashes reports whether another network has an address of the result.
func clashes(conf object, result types.Result) bool {
	p, ok := poolOf(conf)
	if !ok {
		return false
	}
	if entries, err := os.ReadDir(p.IPAM.DataDir); errors.Is(err, fs.ErrNotExist) || len(entries) < 2 {
		return false // no network besides
	}
	res, err := current.NewResultFromResult(result)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(res.IPs, func(ip *current.IPConfig) bool {
		a, ok := netip.AddrFromSlice(ip.Address.IP)
		return ok && p.has(a.Unmap())
	})
}
