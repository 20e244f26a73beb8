package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/store"
)

const memoryFile = "snapshot.json"

// memory is what an agent keeps on disk over restarts and reboots: the last
// snapshot, its own lease, and which networks, devices and firewall tables it ever served, so
// that what is left of them is known as its own.
type memory struct {
	Snapshot store.Snapshot
	Self     *lease.Lease
	Networks []netip.Prefix
	Links    []string
	Tables   []string // of the firewall
	ways     ways     // how this host announced itself, now and before

	page   int            // counts what is handed to the diary
	past   []netconf.Past // networks of earlier configs in which leases stand
	drains []netip.Prefix // subnets that this host had before and whose leases stand
	had    []netip.Prefix // subnets that this host had before, the last one first, to be had again should the network change back
}

// memoryDoc is memory as it is written down: leases in the store's own form.
type memoryDoc struct {
	Revision int64          `json:"revision"`
	Config   string         `json:"config"`
	Leases   []leaseDoc     `json:"leases"`
	Self     *leaseDoc      `json:"self,omitempty"`
	Networks []netip.Prefix `json:"networks"`
	Links    []string       `json:"links"`
	Tables   []string       `json:"tables,omitempty"`
	Ways     []wayDoc       `json:"ways,omitempty"`
	Past     string         `json:"past,omitempty"` // as netconf.FormatPasts writes it
	Drains   []netip.Prefix `json:"drains,omitempty"`
	Had      []netip.Prefix `json:"had,omitempty"`
	Uplink   []netip.Addr   `json:"uplink,omitempty"` // as the store assigned it
}

type wayDoc struct {
	Config string          `json:"config"`
	Value  json.RawMessage `json:"value"`
	Idle   time.Time       `json:"idle,omitzero"`
}

type leaseDoc struct {
	Key      string          `json:"key"`
	Value    json.RawMessage `json:"value"`
	Reserved bool            `json:"reserved,omitempty"`
}

// swept forgets all that want does not serve: nothing of it is left on the
// host, and what gets its name from now on is somebody else's.
func (m *memory) swept(networks []netip.Prefix, want *netstate.State) {
	m.Networks, m.Links, m.Tables = nil, nil, nil
	m.served(networks, want)
}

// served adds what want serves to what the agent answers for.
func (m *memory) served(networks []netip.Prefix, want *netstate.State) {
	for _, n := range networks {
		if !slices.Contains(m.Networks, n) {
			m.Networks = append(m.Networks, n)
		}
	}
	for l := range want.Links.All() {
		if !slices.Contains(m.Links, l.Name) {
			m.Links = append(m.Links, l.Name)
		}
	}
	for t := range want.Firewall.Tables.All() {
		if !slices.Contains(m.Tables, t.Name) {
			m.Tables = append(m.Tables, t.Name)
		}
	}
}

// scope is what the agent answers for with want in force.
func (m *memory) scope(want *netstate.State) netstate.Scope {
	s := netstate.ScopeOf(nil, want)
	return netstate.Scope{
		Networks: slices.Clone(m.Networks),
		Links:    slices.Clone(m.Links),
		Tables:   slices.Clone(m.Tables),
		Sysctls:  s.Sysctls,
	}
}

// save writes m into dir by rename, a line with the checksum first.
func (m *memory) save(dir string) error {
	doc := memoryDoc{
		Revision: m.Snapshot.Revision,
		Config:   string(m.Snapshot.Config),
		Networks: m.Networks,
		Links:    m.Links,
		Tables:   m.Tables,
		Past:     netconf.FormatPasts(m.past),
		Drains:   m.drains,
		Had:      m.had,
	}
	if a := m.Snapshot.Assigned; a != nil {
		doc.Uplink = a.Uplink
	}
	for l := range m.Snapshot.Leases.All() {
		d, err := toDoc(l)
		if err != nil {
			return err
		}
		doc.Leases = append(doc.Leases, d)
	}
	if m.Self != nil {
		d, err := toDoc(*m.Self)
		if err != nil {
			return err
		}
		doc.Self = &d
	}
	for _, w := range m.ways {
		value, err := lease.MarshalAttrs(w.attrs)
		if err != nil {
			return err
		}
		doc.Ways = append(doc.Ways, wayDoc{Config: string(w.doc), Value: value, Idle: w.idle})
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, memoryFile), slices.Concat(checksum(body), body), 0o600)
}

// recall reads what save wrote. Nothing there is no error. A damaged file is
// set aside and reported; the agent then starts without memory.
func recall(dir string) (memory, error) {
	path := filepath.Join(dir, memoryFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return memory{}, nil
	}
	if err != nil {
		return memory{}, err
	}
	m, err := parseMemory(data)
	if err != nil {
		aside := path + ".damaged"
		return memory{}, errors.Join(fmt.Errorf("%s is damaged, set aside as %s: %w", path, aside, err), os.Rename(path, aside))
	}
	return m, nil
}

func checksum(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append([]byte(hex.EncodeToString(sum[:])), '\n')
}

func parseMemory(data []byte) (memory, error) {
	i := bytes.IndexByte(data, '\n') + 1
	if !bytes.Equal(data[:i], checksum(data[i:])) {
		return memory{}, errors.New("the checksum does not fit")
	}
	var doc memoryDoc
	if err := json.Unmarshal(data[i:], &doc); err != nil {
		return memory{}, err
	}
	m := memory{Networks: doc.Networks, Links: doc.Links, Tables: doc.Tables, drains: doc.Drains, had: doc.Had}
	if doc.Past != "" {
		var err error
		if m.past, err = netconf.ParsePasts(doc.Past); err != nil {
			return memory{}, err
		}
	}
	m.Snapshot.Revision = doc.Revision
	if doc.Config != "" {
		m.Snapshot.Config = []byte(doc.Config)
	}
	if len(doc.Uplink) > 0 {
		m.Snapshot.Assigned = &store.Assignment{Uplink: doc.Uplink}
	}
	var leases []lease.Lease
	for _, d := range doc.Leases {
		l, err := d.lease()
		if err != nil {
			return memory{}, err
		}
		leases = append(leases, l)
	}
	m.Snapshot.Leases = lease.SetOf(leases...)
	if doc.Self != nil {
		l, err := doc.Self.lease()
		if err != nil {
			return memory{}, err
		}
		m.Self = &l
	}
	for _, d := range doc.Ways {
		w, err := d.way()
		if err != nil {
			return memory{}, err
		}
		m.ways = append(m.ways, w)
	}
	return m, nil
}

func toDoc(l lease.Lease) (leaseDoc, error) {
	value, err := lease.MarshalAttrs(l.Attrs)
	return leaseDoc{Key: lease.Key(l.Subnets), Value: value, Reserved: l.Reserved}, err
}

func (d leaseDoc) lease() (lease.Lease, error) {
	subnets, err := lease.ParseKey(d.Key)
	if err != nil {
		return lease.Lease{}, err
	}
	attrs, err := lease.ParseAttrs(d.Value)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("lease %s: %w", d.Key, err)
	}
	return lease.Lease{Subnets: subnets, Attrs: attrs, Reserved: d.Reserved}, nil
}

func (d wayDoc) way() (way, error) {
	net, err := netconf.Parse([]byte(d.Config))
	if err != nil {
		return way{}, err
	}
	attrs, err := lease.ParseAttrs(d.Value)
	return way{doc: []byte(d.Config), backend: net.Backend, attrs: attrs, idle: d.Idle}, err
}
