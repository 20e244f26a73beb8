package flannel_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
)

func TestGCDeletesWhatIsNoLongerValid(t *testing.T) {
	h := newHost(t)
	for _, id := range []string{"stays", "goes", "goes-too"} {
		call{command: "ADD", id: id, ifName: "eth0", netns: container(t)}.must(t, h, conf(h, ""))
	}
	elsewhere := `{"type": "bridge", "name": "other-network"}`
	check(t, os.WriteFile(filepath.Join(records(h), "foreign"), []byte(elsewhere), 0o600))
	check(t, os.WriteFile(filepath.Join(records(h), ".goes1234"), nil, 0o600)) // being written
	for range 2 {
		call{command: "GC"}.must(t, h, conf(h, `, "cni.dev/valid-attachments": [{"containerID": "stays", "ifname": "eth0"}]`))
		if names := files(t, records(h)); !slices.Equal(names, []string{".goes1234", "foreign", "stays"}) {
			t.Errorf("there are the records %s", names)
		}
		if names := leases(t, h); len(names) != 2 {
			t.Errorf("the addresses %s are taken", names)
		}
	}
	call{command: "GC"}.fails(t, h, conf(h, ""), types.ErrInvalidNetworkConfig, "cni.dev/valid-attachments")
	if names := leases(t, h); len(names) != 2 {
		t.Errorf("the addresses %s are taken after a GC that does not say what is valid", names)
	}
	call{command: "GC"}.must(t, h, conf(h, `, "cni.dev/attachments": []`)) // as the spec first had it
	if names := leases(t, h); len(names) != 0 {
		t.Errorf("the addresses %s are taken with no attachment valid", names)
	}
}

// TestGCKnowsFlannelsRecords: they do not say which interface they are about.
func TestGCKnowsFlannelsRecords(t *testing.T) {
	h := newHost(t)
	for _, id := range []string{"stays", "goes"} {
		call{command: "ADD", id: id, ifName: "eth0", netns: container(t)}.must(t, h, conf(h, ""))
		path := filepath.Join(records(h), id)
		text, err := os.ReadFile(path)
		check(t, err)
		text = without(t, text, "weft/ifname")
		check(t, os.WriteFile(path, text, 0o600))
	}
	call{command: "GC"}.must(t, h, conf(h, `, "cni.dev/valid-attachments": [{"containerID": "stays", "ifname": "eth9"}]`))
	if names := files(t, records(h)); !slices.Equal(names, []string{"stays"}) || len(leases(t, h)) != 2 {
		t.Errorf("there are the records %s and addresses %s", names, leases(t, h))
	}
}

func TestGCWithoutSubnet(t *testing.T) {
	h := newHost(t)
	call{command: "ADD", id: "goes", ifName: "eth0", netns: container(t)}.must(t, h, conf(h, ""))
	check(t, os.Remove(h.SubnetFile()))
	call{command: "GC"}.must(t, h, conf(h, `, "cni.dev/valid-attachments": []`))
	left(t, h)
}
