package identity_test

import (
	"os"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/identity"
	"github.com/weft-net/weft/internal/lease"
)

func TestMark(t *testing.T) {
	o := lease.Owner{ID: "id", Hostname: "alpha", Machine: "m", Session: "an old one"}
	first, second := identity.Mark(o), identity.Mark(o)
	if first.ID != o.ID || first.Hostname != o.Hostname || first.Machine != o.Machine {
		t.Errorf("%+v became %+v", o, first)
	}
	if first.Session == "" || first.Session == o.Session || first.Session == second.Session {
		t.Errorf("sessions %q and %q", first.Session, second.Session)
	}
	if first.Boot == "" || first.Boot != second.Boot || first.Product != second.Product {
		t.Errorf("one boot of one machine is %+v and %+v", first, second)
	}
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(first.Boot, strings.TrimSpace(string(id))) {
		t.Errorf("the boot id itself is in %q", first.Boot)
	}
}
