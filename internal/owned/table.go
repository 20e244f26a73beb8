package owned

import "regexp"

// tableName is the form of the names that nftables tables of weft's have, one
// table per agent.
var tableName = regexp.MustCompile(`^weft(\.[0-9a-z-]{1,24})?$`)

// TableName reports whether an nftables table of that name is an agent's: this
// one's or another's on the same host. Rules of an agent's in other chains
// have the name of its table as their comment.
func TableName(name string) bool { return tableName.MatchString(name) }
