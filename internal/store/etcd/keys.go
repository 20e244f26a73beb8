package etcd

import (
	"net/netip"
	"net/url"
	"path"

	"github.com/weft-net/weft/internal/store/view"
)

// layout names the keys of one network. Flannel's are config and subnets/;
// weft's own stay outside what flanneld reads and watches.
type layout struct{ prefix string }

// ownKeys is below the prefix what holds weft's own keys.
const ownKeys = "weft"

// span is a range of keys: from first, up to and without end.
type span struct{ first, end string }

func (k layout) config() string           { return path.Join(k.prefix, view.ConfigKey) }
func (k layout) lease(name string) string { return path.Join(k.prefix, view.Subnets) + "/" + name }
func (k layout) owner(name string) string { return path.Join(k.prefix, "weft/owners") + "/" + name }
func (k layout) addr(a netip.Addr) string {
	return path.Join(k.prefix, "weft/addrs") + "/" + a.String()
}

// id is the key that keeps two leases from being made for one host's id.
func (k layout) id(id string) string {
	return path.Join(k.prefix, "weft/ids") + "/" + url.PathEscape(id)
}

// question is where the agent of one session asks the agent with an id.
func (k layout) question(id, session string) string {
	return k.questions(id).first + url.PathEscape(session)
}

func (k layout) questions(id string) span {
	return under(path.Join(k.prefix, "weft/questions") + "/" + url.PathEscape(id) + "/")
}

func (k layout) host(name string) string    { return path.Join(k.prefix, view.Hosts) + "/" + name }
func (k layout) former(name string) string  { return path.Join(k.prefix, view.Former) + "/" + name }
func (k layout) only(key string) span       { return span{key, ""} }
func (k layout) owners() span               { return under(k.owner("")) }
func (k layout) leases() span               { return under(k.lease("")) }
func (k layout) leasesOf(start string) span { return under(k.lease(start)) }

// flannels spans config and all leases in one range, so that one request or
// one watch has both in one order. There may be other programs' keys between them;
// weft's own sort behind.
func (k layout) flannels() span { return span{k.config(), k.leases().end} }

// notes spans the records of networks in which leases drain, and what hosts
// say of themselves: weft's own keys that a snapshot shows, which are neighbours.
func (k layout) notes() span { return span{k.former(""), under(k.host("")).end} }

// below returns key without the network's prefix.
func (k layout) below(key []byte) string {
	if len(key) <= len(k.prefix) {
		return ""
	}
	rest := string(key[len(k.prefix):])
	if rest[0] == '/' {
		rest = rest[1:]
	}
	return rest
}

// under spans all keys that begin with start, which is not empty and does not
// end in 0xff.
func under(start string) span {
	end := []byte(start)
	end[len(end)-1]++
	return span{start, string(end)}
}
