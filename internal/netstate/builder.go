package netstate

// Builder gathers the rows of a State in any order, maybe some of them twice.
// Append to its fields.
type Builder struct {
	Links    []Link
	Offloads []Offload
	Sysctls  []Sysctl
	Addrs    []Addr
	Neighs   []Neigh
	FDB      []FDB
	Peers    []Peer
	Allowed  []Allowed
	Routes   []Route

	Fast     FastBuilder
	Firewall FirewallBuilder
}

// FirewallBuilder is the part of a Builder that concerns the firewall.
type FirewallBuilder struct {
	Tables    []NFTable
	Sets      []Set
	Elements  []Element
	Chains    []Chain
	Rules     []Rule
	HookRules []HookRule
	Leftovers []Leftover
}

// State returns the state of b's rows, which it takes over. Rows that
// contradict each other are a *ConflictError; the state then holds one of
// them.
func (b *Builder) State() (*State, error) {
	var first error
	fw, err := b.Firewall.Firewall()
	s := &State{Firewall: fw}
	fill(&s.Links, b.Links, &first)
	fill(&s.Offloads, b.Offloads, &first)
	fill(&s.Sysctls, b.Sysctls, &first)
	fill(&s.Addrs, b.Addrs, &first)
	fill(&s.Neighs, b.Neighs, &first)
	fill(&s.FDB, b.FDB, &first)
	fill(&s.Peers, b.Peers, &first)
	fill(&s.Allowed, b.Allowed, &first)
	fill(&s.Routes, b.Routes, &first)
	if first == nil {
		first = err
	}
	if s.Fast, err = b.Fast.fast(); first == nil {
		first = err
	}
	return s, first
}

// Firewall returns the firewall of b's rows, as Builder.State does.
func (b *FirewallBuilder) Firewall() (f Firewall, first error) {
	fill(&f.Tables, b.Tables, &first)
	fill(&f.Sets, b.Sets, &first)
	fill(&f.Elements, b.Elements, &first)
	fill(&f.Chains, b.Chains, &first)
	fill(&f.Rules, b.Rules, &first)
	fill(&f.HookRules, b.HookRules, &first)
	fill(&f.Leftovers, b.Leftovers, &first)
	return f, first
}

func fill[R row[R]](t *Table[R], rows []R, first *error) {
	var err error
	if *t, err = tableOf(rows); *first == nil {
		*first = err
	}
}

// Builder returns a builder that begins with the rows of s.
func (s *State) Builder() *Builder {
	return &Builder{
		Links: s.Links.Slice(), Offloads: s.Offloads.Slice(), Sysctls: s.Sysctls.Slice(), Addrs: s.Addrs.Slice(),
		Neighs: s.Neighs.Slice(), FDB: s.FDB.Slice(), Peers: s.Peers.Slice(), Allowed: s.Allowed.Slice(), Routes: s.Routes.Slice(),
		Fast: s.Fast.builder(),
		Firewall: FirewallBuilder{
			Tables: s.Firewall.Tables.Slice(), Sets: s.Firewall.Sets.Slice(), Elements: s.Firewall.Elements.Slice(),
			Chains: s.Firewall.Chains.Slice(), Rules: s.Firewall.Rules.Slice(),
			HookRules: s.Firewall.HookRules.Slice(), Leftovers: s.Firewall.Leftovers.Slice(),
		},
	}
}
