package owned

import (
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netconf"
)

// TestNamesStay: a name that changed would leave what an earlier version has
// made without an owner.
func TestNamesStay(t *testing.T) {
	for got, want := range map[string]string{
		DeviceName(netconf.V4, 1):                  "flannel.1",
		DeviceName(netconf.V6, 1):                  "flannel-v6.1",
		DeviceName(netconf.V4, 1<<24-1):            "flannel.16777215",
		SpareDeviceName(netconf.V4, 1, 8472):       "w4-1-2118",
		SpareDeviceName(netconf.V6, 1, 8472):       "w6-1-2118",
		SpareDeviceName(netconf.V6, 1<<24-1, 4789): "w6-ffffff-12b5",
		TableName(0):           "weft",
		TableName(1):           "weft",
		TableName(5):           "weft.5",
		FlannelChain("filter"): "FLANNEL-FWD",
		FlannelChain("nat"):    "FLANNEL-POSTRTG",
		FlannelChain("mangle"): "",
	} {
		if got != want {
			t.Errorf("%q has become %q", want, got)
		}
	}
	if RouteProtocol != 119 || PodProtocol != 118 || FlannelProtocol != 3 {
		t.Error("the protocol of routes that stand on hosts has changed")
	}
}

func TestDeviceNames(t *testing.T) {
	for name, want := range map[string]bool{
		"flannel.1": true, "flannel-v6.1": true, "flannel-wg": true, "flannel-wg-v6": true, "flannel.16777215": true, "w4-1-2118": true, "w6-ffffff-12b5": true,

		"": false, "flannel.": false, "flannel.a": false, "flannel1": false, "flannel-v5.1": false, "flannel.1\n": false,
		"w5-1-2118": false, "w4-1": false, "w4--2118": false, "w4-1-": false, "w4-1-211G": false, "cni0": false, "vxlan.calico": false,
	} {
		if got := IsDeviceName(name); got != want {
			t.Errorf("IsDeviceName(%q) = %v", name, got)
		}
	}
}

func TestTableNames(t *testing.T) {
	for name, want := range map[string]bool{
		"weft": true, "weft.7": true, "weft.16777215": true, "weft.blue": true, "weft.a-1": true,
		"weft." + strings.Repeat("a", 24): true,

		"": false, "weft.": false, "weft.Blue": false, "weft.a b": false, "weft\n": false, "weftx": false, "xweft": false,
		"flannel-ipv4": false, "weft." + strings.Repeat("a", 25): false,
	} {
		if got := IsTableName(name); got != want {
			t.Errorf("IsTableName(%q) = %v", name, got)
		}
	}
}

func TestFlannelNames(t *testing.T) {
	for name, want := range map[string]bool{
		"FLANNEL-FWD": true, "FLANNEL-POSTRTG": true, "flannel-ipv4": true, "flannel-ipv6": true, "": false, "flannel": false, "FORWARD": false,
	} {
		if got := IsFlannel(name); got != want {
			t.Errorf("IsFlannel(%q) = %v", name, got)
		}
	}
	if !IsFlannelTable("ip", "flannel-ipv4") || !IsFlannelTable("ip6", "flannel-ipv6") || IsFlannelTable("ip6", "flannel-ipv4") || IsFlannelTable("inet", "") {
		t.Error("flanneld's tables are not told apart")
	}
}

// FuzzNames: whatever name an agent gives, it recognises, and the kernel takes.
func FuzzNames(f *testing.F) {
	f.Add(uint32(1), uint16(8472))
	f.Fuzz(func(t *testing.T, vni uint32, port uint16) {
		vni %= 1 << 24
		for _, family := range netconf.Families {
			for _, name := range []string{DeviceName(family, vni), SpareDeviceName(family, vni, port)} {
				// flannel-v6.VNI is too long for VNIs of six digits and more, as flannel's is.
				if !IsDeviceName(name) || len(name) > 15 && !strings.HasPrefix(name, "flannel") {
					t.Errorf("the device's name %q", name)
				}
			}
		}
		if name := TableName(vni); !IsTableName(name) {
			t.Errorf("the table's name %q", name)
		}
	})
}
