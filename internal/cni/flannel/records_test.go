package flannel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/lab"
)

// conf is a config of type flannel whose files are the host's, with further
// keys as JSON.
func conf(h *lab.Host, more string) string {
	return fmt.Sprintf(`{"cniVersion": "1.1.0", "name": "lab", "type": "flannel", "subnetFile": %q, "runDir": %q, "dataDir": %q,
		"ipam": {"dataDir": %q}%s}`, h.SubnetFile(), h.RunDir(), records(h), filepath.Join(h.Dir(), "cni/host-local"), more)
}

func records(h *lab.Host) string { return filepath.Join(h.Dir(), "cni/flannel") }

func leases(t *testing.T, h *lab.Host) []string { return files(t, h.Dir(), "cni/host-local/lab") }

func TestRecordIsForItsOwnerAlone(t *testing.T) {
	h := newHost(t)
	call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}.must(t, h, conf(h, ""))
	info, err := os.Stat(filepath.Join(records(h), "c1"))
	check(t, err)
	dir, err := os.Stat(records(h))
	check(t, err)
	if info.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
		t.Errorf("the record has mode %s, its folder %s", info.Mode(), dir.Mode())
	}
}

// TestRecordOfFlannelsPluginIsDeleted adds a container as flannel's plugin
// does: its record is what the delegate was told and nothing else.
func TestRecordOfFlannelsPluginIsDeleted(t *testing.T) {
	h := newHost(t)
	told := fmt.Sprintf(`{"cniVersion":"0.3.1","hairpinMode":true,"ipMasq":false,"ipam":{"dataDir":%q,"ranges":[[{"subnet":"172.7.1.0/24"}]],"routes":[{"dst":"172.7.0.0/16"}],"type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"lab","type":"bridge"}`,
		filepath.Join(h.Dir(), "cni/host-local"))
	check(t, os.MkdirAll(records(h), 0o700))
	check(t, os.WriteFile(filepath.Join(records(h), "c1"), []byte(told), 0o600))
	c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	answer := c.must(t, h, told)
	if len(leases(t, h)) != 1 {
		t.Fatal("host-local has no address for the container")
	}
	// Today's config is of a later version than the container's.
	c.command = "CHECK"
	c.must(t, h, conf(h, `, "prevResult": `+strings.Replace(answer, "0.3.1", "1.1.0", 1)))
	c.command = "DEL"
	c.must(t, h, conf(h, ""))
	left(t, h)
}

// TestRecordReadsAsFlannelsPluginWantsIt has the delegate delete a container
// by our record as it lies on the disk, as flannel's plugin would.
func TestRecordReadsAsFlannelsPluginWantsIt(t *testing.T) {
	h := newHost(t)
	c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	c.must(t, h, conf(h, ""))
	record, err := os.ReadFile(filepath.Join(records(h), "c1"))
	check(t, err)
	c.command = "DEL"
	c.must(t, h, string(record))
	if names := leases(t, h); len(names) > 0 {
		t.Errorf("the addresses %s are still taken", names)
	}
}

func TestInterfacesOfOneContainerAreKeptApart(t *testing.T) {
	h := newHost(t)
	ns := container(t)
	for _, name := range []string{"eth0", "net1"} {
		call{command: "ADD", id: "c1", ifName: name, netns: ns}.must(t, h, conf(h, ""))
	}
	if names := files(t, records(h)); len(names) != 2 || len(leases(t, h)) != 4 {
		t.Errorf("records %s, addresses %s", names, leases(t, h))
	}
	call{command: "DEL", id: "c1", ifName: "eth0", netns: ns}.must(t, h, conf(h, ""))
	if names := files(t, records(h)); len(names) != 1 || names[0] != "c1:net1" || len(leases(t, h)) != 2 {
		t.Errorf("after the first is deleted: records %s, addresses %s", names, leases(t, h))
	}
	call{command: "DEL", id: "c1", ifName: "eth0", netns: ns}.must(t, h, conf(h, "")) // again
	call{command: "DEL", id: "c1", ifName: "net1", netns: ns}.must(t, h, conf(h, ""))
	left(t, h)
}

// TestDelWithoutTheDelegatesProgram succeeds, says what stays, and leaves the
// rest to the next DEL or GC that finds the program.
func TestDelWithoutTheDelegatesProgram(t *testing.T) {
	h := newHost(t)
	for _, next := range []string{"DEL", "GC"} {
		c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
		c.must(t, h, conf(h, ""))
		c.command, c.path = "DEL", t.TempDir()
		out, words, err := c.start(t, h, conf(h, "")).end(t)
		if err != nil || out != "" {
			t.Errorf("DEL printed %q, %v", out, err)
		}
		for _, want := range []string{`"bridge"`, "CNI_PATH=" + c.path, filepath.Join(records(h), "c1"), "is left to GC"} {
			if !strings.Contains(words, want) {
				t.Errorf("DEL said %q, want %q", words, want)
			}
		}
		if len(files(t, records(h))) != 1 {
			t.Error("the record is gone though nothing was deleted")
		}
		c.command, c.path = next, ""
		c.must(t, h, conf(h, `, "cni.dev/valid-attachments": []`))
		left(t, h)
	}
}

func TestFailedAddLeavesNothing(t *testing.T) {
	h := newHost(t)
	writeEnv(t, h, "FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.1.1/30\n"+bothEnv) // room for one
	first := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	first.must(t, h, conf(h, ""))
	second := call{command: "ADD", id: "c2", ifName: "eth0", netns: container(t)}
	second.fails(t, h, conf(h, ""), types.ErrInternal, "ADD, delegated to the plugin bridge: ", "no IP addresses available")
	if names := files(t, records(h)); len(names) != 1 {
		t.Errorf("there are the records %s", names)
	}
	first.command = "DEL"
	first.must(t, h, conf(h, ""))
	second.must(t, h, conf(h, "")) // now there is room
}

// TestAddedTwice: an ADD of a container that is there fails, and takes nothing from it.
func TestAddedTwice(t *testing.T) {
	h := newHost(t)
	c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	answer := c.must(t, h, conf(h, ""))
	c.fails(t, h, conf(h, ""), types.ErrInternal, "eth0")
	c.command = "CHECK"
	c.must(t, h, conf(h, `, "prevResult": `+answer))
	c.command = "DEL"
	c.must(t, h, conf(h, ""))
	left(t, h)
}

var damagedRecords = []string{"", "{", "[]", `{"type": 1}`, `{"name": "lab"}`, `{"type": "bridge", "weft/ifname": 1}`}

// TestDelWithADamagedRecord deletes the container by the current config.
func TestDelWithADamagedRecord(t *testing.T) {
	h := newHost(t)
	for _, text := range damagedRecords {
		c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
		c.must(t, h, conf(h, ""))
		check(t, os.WriteFile(filepath.Join(records(h), "c1"), []byte(text), 0o600))
		c.command = "DEL"
		c.must(t, h, conf(h, ""))
		left(t, h)
	}
}

// TestDelWithADamagedRecordAndNoSubnet succeeds, and the record stays for GC,
// which names it.
func TestDelWithADamagedRecordAndNoSubnet(t *testing.T) {
	h := newHost(t)
	path := filepath.Join(records(h), "c1")
	check(t, os.MkdirAll(records(h), 0o700))
	check(t, os.Remove(h.SubnetFile()))
	for _, text := range damagedRecords {
		check(t, os.WriteFile(path, []byte(text), 0o600))
		_, words, err := call{command: "DEL", id: "c1", ifName: "eth0"}.start(t, h, conf(h, "")).end(t)
		if err != nil || !strings.Contains(words, path) || !strings.Contains(words, h.SubnetFile()) || len(files(t, records(h))) != 1 {
			t.Errorf("%q: DEL said %q, %v", text, words, err)
		}
		call{command: "GC"}.fails(t, h, conf(h, `, "cni.dev/valid-attachments": []`), types.ErrIOFailure, path, "remove the file")
	}
}

func TestHostileNamesAreRefused(t *testing.T) {
	h := newHost(t)
	for _, id := range []string{"../c1", "a/b", "..", "-rf", "c1:eth0", strings.Repeat("x", 300), "a\nb", "ü"} {
		for _, command := range []string{"ADD", "DEL", "CHECK"} {
			call{command: command, id: id, ifName: "eth0", netns: "/proc/self/nothing"}.fails(t, h, conf(h, ""), types.ErrInvalidEnvironmentVariables, "")
		}
	}
	if names := files(t, h.Dir(), "cni"); len(names) > 0 {
		t.Errorf("%s were made", names)
	}
}
