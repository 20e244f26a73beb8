package intent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/store"
)

// Persisted is what an agent keeps on disk over restarts and reboots.
type Persisted struct {
	Owns     Ownership
	Self     *lease.Lease       // this host's lease, as last planned with
	Previous []netconf.Previous // networks of earlier configs in which leases stand
	Draining []netip.Prefix
	Had      []netip.Prefix
	Snapshot store.Snapshot // the config in force, the leases, and by which address the store found this host
	history  history

	Overwritten Overwritten
	Checksums   []plan.Checksum // that a self-test has found wrong
}

// FormatVersion is that of the records. A reader of another version keeps what
// it can read.
const FormatVersion = 1

// Keys of the records. A lease's is leaseKey with its key behind.
const (
	ownsKey      = "owns"
	selfKey      = "self"
	previousKey  = "previous"
	drainingKey  = "draining"
	hadKey       = "had"
	announcedKey = "announced"
	configKey    = "config"
	uplinkKey    = "uplink"
	nodeKey      = "node"
	paramsKey    = "params"
	checksumsKey = "checksums"
	leaseKey     = "lease/"
)

type leaseRecord struct {
	Key      string          `json:"key"`
	Value    json.RawMessage `json:"value"`
	Reserved bool            `json:"reserved,omitempty"`
}

type announcementRecord struct {
	Config string          `json:"config"`
	Value  json.RawMessage `json:"value"`
	Silent bool            `json:"silent,omitempty"`
	Spare  bool            `json:"spare,omitempty"`
	Idle   time.Time       `json:"idle,omitzero"`
}

// Records returns p but for the leases, by key.
func (p *Persisted) Records() (map[string]json.RawMessage, error) {
	values := map[string]any{
		ownsKey:     p.Owns,
		previousKey: netconf.FormatPrevious(p.Previous),
		drainingKey: p.Draining,
		hadKey:      p.Had,
		configKey:   string(p.Snapshot.Config),
	}
	if a := p.Snapshot.Assigned; a != nil {
		values[uplinkKey], values[nodeKey] = a.Uplink, a.Node
	}
	if len(p.Overwritten.Params) > 0 {
		values[paramsKey] = p.Overwritten
	}
	if len(p.Checksums) > 0 {
		values[checksumsKey] = p.Checksums
	}
	var errs []error
	if p.Self != nil {
		r, err := recordOf(*p.Self)
		values[selfKey], errs = r, append(errs, err)
	}
	announced := []announcementRecord{}
	for _, a := range p.history {
		value, err := lease.MarshalAttrs(a.attrs)
		errs = append(errs, err)
		announced = append(announced, announcementRecord{Config: string(a.doc), Value: value, Silent: a.silent, Spare: a.spare, Idle: a.idle})
	}
	values[announcedKey] = announced
	out := map[string]json.RawMessage{}
	for key, v := range values {
		text, err := json.Marshal(v)
		out[key], errs = text, append(errs, err)
	}
	return out, errors.Join(errs...)
}

// LeaseRecord returns the key and the value of l's record.
func LeaseRecord(l lease.Lease) (key string, value json.RawMessage, err error) {
	r, err := recordOf(l)
	if err != nil {
		return "", nil, err
	}
	value, err = json.Marshal(r)
	return leaseKey + r.Key, value, err
}

// FromRecords reads what Records and LeaseRecord wrote. What cannot be read
// costs only itself: the errors say what is missing.
func FromRecords(records map[string]json.RawMessage) (Persisted, []error) {
	r := reader{records: records}
	var p Persisted
	// What tells this agent's objects from others' is read whatever the rest says.
	r.read(ownsKey, &p.Owns)
	r.read(paramsKey, &p.Overwritten)
	r.read(checksumsKey, &p.Checksums)
	var config, previous string
	r.read(configKey, &config)
	if config != "" {
		p.Snapshot.Config = []byte(config)
	}
	r.read(previousKey, &previous)
	if previous != "" {
		var err error
		p.Previous, err = netconf.ParsePrevious(previous)
		r.fail(previousKey, err)
	}
	r.read(drainingKey, &p.Draining)
	r.read(hadKey, &p.Had)
	var self leaseRecord
	if r.read(selfKey, &self) {
		l, err := self.lease()
		r.fail(selfKey, err)
		if err == nil {
			p.Self = &l
		}
	}
	var assigned store.Assignment
	r.read(uplinkKey, &assigned.Uplink)
	r.read(nodeKey, &assigned.Node)
	if len(assigned.Uplink)+len(assigned.Node) > 0 {
		p.Snapshot.Assigned = &assigned
	}
	p.history = r.history()
	p.Snapshot.Leases = r.leases()
	return p, r.errs
}

// reader reads records and gathers what is wrong with them.
type reader struct {
	records map[string]json.RawMessage
	errs    []error
}

func (r *reader) fail(key string, err error) {
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("record %.80q: %w", key, err))
	}
}

// read reads a record into v, and reports whether there was a good one.
func (r *reader) read(key string, v any) bool {
	text, ok := r.records[key]
	if !ok {
		return false
	}
	err := json.Unmarshal(text, v)
	r.fail(key, err)
	return err == nil
}

func (r *reader) history() history {
	var records []announcementRecord
	r.read(announcedKey, &records)
	var out history
	for _, a := range records {
		net, err := netconf.Parse([]byte(a.Config))
		r.fail(announcedKey, err)
		if err != nil {
			continue
		}
		attrs, err := lease.ParseAttrs(a.Value)
		r.fail(announcedKey, err)
		if err == nil {
			out = append(out, announcement{doc: []byte(a.Config), backend: net.Backend, attrs: attrs, silent: a.Silent, spare: a.Spare, idle: a.Idle})
		}
	}
	return out
}

func (r *reader) leases() lease.Set {
	var all []lease.Lease
	for _, key := range slices.Sorted(maps.Keys(r.records)) {
		var record leaseRecord
		if !strings.HasPrefix(key, leaseKey) || !r.read(key, &record) {
			continue
		}
		l, err := record.lease()
		r.fail(key, err)
		if err == nil {
			all = append(all, l)
		}
	}
	return lease.SetOf(all...)
}

func recordOf(l lease.Lease) (leaseRecord, error) {
	value, err := lease.MarshalAttrs(l.Attrs)
	return leaseRecord{Key: lease.Key(l.Subnets), Value: value, Reserved: l.Reserved}, err
}

func (r leaseRecord) lease() (lease.Lease, error) {
	subnets, err := lease.ParseKey(r.Key)
	if err != nil {
		return lease.Lease{}, err
	}
	attrs, err := lease.ParseAttrs(r.Value)
	return lease.Lease{Subnets: subnets, Attrs: attrs, Reserved: r.Reserved}, err
}

// String lists the records but for leases, a line each; for traces.
func (p *Persisted) String() string {
	records, err := p.Records()
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(records)) {
		fmt.Fprintf(&b, "  %s %s\n", key, records[key])
	}
	if err != nil {
		fmt.Fprintln(&b, "  error:", err)
	}
	return b.String()
}

// persist asks for what must outlive a restart to be written, if it has
// changed. The config in force is written rather than the store's newest,
// which may be damaged.
func (t *step) persist() {
	s := t.state
	p := Persisted{
		Owns: s.serves, Self: s.last, Previous: s.previous, Draining: s.draining, Had: s.had, history: s.history,
		Snapshot: store.Snapshot{Config: s.config.doc}, Overwritten: s.overwritten, Checksums: s.wrong,
	}
	if a := s.store.snapshot.Assigned; a != nil {
		p.Snapshot.Assigned = &store.Assignment{Uplink: a.Uplink, Node: a.Node}
	}
	if s.persisted != nil && equal(*s.persisted, p) {
		return
	}
	s.persisted = &p
	t.out.Persist = &p
}
