package netstate

// Identity returns what names the same object as r and has no attributes
// beyond that. It can be compared and be the key of a map.
func Identity(r Row) Row {
	switch r := r.(type) {
	case Link:
		return Link{Name: r.Name}
	case Sysctl:
		return Sysctl{Name: r.Name}
	case Neigh:
		return Neigh{Addr: r.Addr, Dev: r.Dev}
	case FDB:
		return FDB{MAC: r.MAC, Dev: r.Dev}
	case Peer:
		return Peer{Dev: r.Dev, Key: r.Key}
	case Allowed:
		return Allowed{Dev: r.Dev, Prefix: r.Prefix}
	case Route:
		return Route{Dst: r.Dst, Reject: r.Reject}
	case FastPath:
		return FastPath{Name: r.Name}
	case FastRemote:
		return FastRemote{Path: r.Path, Dst: r.Dst}
	case FastPod:
		return FastPod{Path: r.Path, Addr: r.Addr}
	case FastBridge:
		return FastBridge{Path: r.Path, Dst: r.Dst}
	case Set:
		return Set{Table: r.Table, Name: r.Name}
	case Chain:
		return Chain{Table: r.Table, Name: r.Name}
	case Rule:
		return Rule{Table: r.Table, Chain: r.Chain, Index: r.Index}
	case HookRule:
		r.Behind = false
		return r
	}
	return r // all of it names the object
}
