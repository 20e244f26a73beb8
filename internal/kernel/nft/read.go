package nft

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// nfgenSize is the size of struct nfgenmsg, which begins every message.
const nfgenSize = 4

// table is an nftables table of anybody's.
type table struct {
	family uint8
	name   string
}

// chain is a chain of anybody's.
type chain struct {
	place
	base     bool
	hook     uint32
	priority int32
	policy   uint32
	kind     string
	devices  []string // whose packets it sees, with "*" for any ending; nil: those of all
}

// rule is a rule of anybody's.
type rule struct {
	place
	handle  uint64
	list    []expression
	comment string
}

// body is the rule in our words; one that has no form of ours is told by its
// handle.
func (r rule) body() netstate.Body {
	b, ok := readBody(r.list, r.family)
	if !ok || !isWord(r.comment) {
		return netstate.Body{Unknown: fmt.Sprint(r.handle)}
	}
	b.Comment = r.comment
	return b
}

// isWord reports whether s has nothing that would end a word of the text form.
func isWord(s string) bool {
	for _, c := range s {
		if c <= ' ' || c == '"' || c > '~' {
			return false
		}
	}
	return true
}

func (c *Conn) tables() (out []table, err error) {
	var b rtnl.Batch
	message(&b, unix.NFT_MSG_GETTABLE, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC)
	for m, err := range c.conn.Dump(&b) {
		if err != nil {
			return nil, explain(err)
		}
		head, attrs, _ := m.Header(nfgenSize)
		for a := range attrs.All() {
			if a.Type == unix.NFTA_TABLE_NAME {
				out = append(out, table{head[0], a.String()})
			}
		}
	}
	return out, nil
}

func (c *Conn) chains() (out []chain, err error) {
	var b rtnl.Batch
	message(&b, unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, unix.NFPROTO_UNSPEC)
	for m, err := range c.conn.Dump(&b) {
		if err != nil {
			return nil, explain(err)
		}
		if ch, ok := decodeChain(m); ok {
			out = append(out, ch)
		}
	}
	return out, nil
}

func decodeChain(m rtnl.Message) (c chain, ok bool) {
	head, attrs, ok := m.Header(nfgenSize)
	if !ok {
		return c, false
	}
	c.family, c.policy = head[0], verdictAccept
	for a := range attrs.All() {
		switch a.Type {
		case unix.NFTA_CHAIN_TABLE:
			c.table = a.String()
		case unix.NFTA_CHAIN_NAME:
			c.chain = a.String()
		case unix.NFTA_CHAIN_POLICY:
			c.policy = a.Uint32BE()
		case unix.NFTA_CHAIN_TYPE:
			c.kind = a.String()
		case unix.NFTA_CHAIN_HOOK:
			c.base = true
			for h := range a.Attrs().All() {
				switch h.Type {
				case unix.NFTA_HOOK_HOOKNUM:
					c.hook = h.Uint32BE()
				case unix.NFTA_HOOK_PRIORITY:
					c.priority = int32(h.Uint32BE())
				case unix.NFTA_HOOK_DEV:
					c.devices = append(c.devices, h.String())
				case hookDevices:
					c.devices = append(c.devices, deviceNames(h.Attrs())...)
				}
			}
		}
	}
	return c, true
}

// deviceNames reads the devices of a chain that has several.
func deviceNames(list rtnl.Attrs) (out []string) {
	for d := range list.All() {
		switch d.Type {
		case deviceName:
			out = append(out, d.String())
		case devicePrefix:
			out = append(out, d.String()+"*")
		}
	}
	return out
}

// rules lists the rules of a chain, or of a table if p names no chain, in
// their order.
func (c *Conn) rules(p place) (out []rule, err error) {
	var b rtnl.Batch
	message(&b, unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, p.family)
	b.String(unix.NFTA_RULE_TABLE, p.table)
	if p.chain != "" {
		b.String(unix.NFTA_RULE_CHAIN, p.chain)
	}
	for m, err := range c.conn.Dump(&b) {
		if err != nil {
			return nil, err
		}
		// Old kernels do not heed what a list was asked to be limited to.
		r, ok := decodeRule(m)
		if ok && r.table == p.table && (p.chain == "" || r.chain == p.chain) {
			out = append(out, r)
		}
	}
	return out, nil
}

func decodeRule(m rtnl.Message) (r rule, ok bool) {
	head, attrs, ok := m.Header(nfgenSize)
	if !ok {
		return r, false
	}
	r.family = head[0]
	for a := range attrs.All() {
		switch a.Type {
		case unix.NFTA_RULE_TABLE:
			r.table = a.String()
		case unix.NFTA_RULE_CHAIN:
			r.chain = a.String()
		case unix.NFTA_RULE_HANDLE:
			r.handle = a.Uint64BE()
		case unix.NFTA_RULE_EXPRESSIONS:
			r.list = decodeExpressions(a.Attrs())
		case unix.NFTA_RULE_USERDATA:
			r.comment = commentOf(a.Value)
		}
	}
	if r.comment == "" {
		r.comment, r.list = xtComment(r.list)
	}
	return r, true
}

// commentOf finds the comment among a rule's user data: type, length, value.
func commentOf(data []byte) string {
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		value := data[2 : 2+int(data[1])]
		if data[0] == udataComment && len(value) > 0 {
			return string(value[:len(value)-1])
		}
		data = data[2+len(value):]
	}
	return ""
}

// sets lists the named sets of a table of ours.
func (c *Conn) sets(name string) (out []netstate.Set, err error) {
	var b rtnl.Batch
	message(&b, unix.NFT_MSG_GETSET, unix.NLM_F_DUMP, unix.NFPROTO_INET)
	b.String(unix.NFTA_SET_TABLE, name)
	for m, err := range c.conn.Dump(&b) {
		if err != nil {
			return nil, err
		}
		if s, ok := decodeSet(m); ok && s.Table == name {
			out = append(out, s)
		}
	}
	return out, nil
}

func decodeSet(m rtnl.Message) (s netstate.Set, ok bool) {
	_, attrs, ok := m.Header(nfgenSize)
	if !ok {
		return s, false
	}
	for a := range attrs.All() {
		switch a.Type {
		case unix.NFTA_SET_TABLE:
			s.Table = a.String()
		case unix.NFTA_SET_NAME:
			s.Name = a.String()
		case unix.NFTA_SET_FLAGS:
			flags := a.Uint32BE()
			s.Interval = flags&unix.NFT_SET_INTERVAL != 0
			ok = flags&unix.NFT_SET_ANONYMOUS == 0
		case unix.NFTA_SET_KEY_TYPE:
			s.Type = typeName(a.Uint32BE())
		}
	}
	return s, ok
}

func typeName(number uint32) string {
	switch number {
	case typeIPv4:
		return netstate.TypeIPv4
	case typeIPv6:
		return netstate.TypeIPv6
	}
	return fmt.Sprint("type-", number)
}
