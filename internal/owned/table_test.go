package owned

import (
	"strings"
	"testing"
)

func TestTableName(t *testing.T) {
	for name, want := range map[string]bool{
		"weft": true, "weft.7": true, "weft.16777215": true, "weft.blue": true, "weft.a-1": true,
		"weft." + strings.Repeat("a", 24): true,

		"": false, "weft.": false, "weft.Blue": false, "weft.a b": false, "weft\n": false, "weftx": false, "xweft": false,
		"flannel-ipv4": false, "weft." + strings.Repeat("a", 25): false,
	} {
		if got := TableName(name); got != want {
			t.Errorf("TableName(%q) = %v", name, got)
		}
	}
}
