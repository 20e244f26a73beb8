package lease

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scanned are forms that the quick reader must take, since they are what
// stores hold.
var scanned = []string{
	`{"PublicIP":"10.4.7.21","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"32:11:d5:cd:3b:c9"}}`,
	`{"PublicIP":"10.4.7.21","PublicIPv6":null,"BackendType":"host-gw"}`,
	`{"PublicIP":"0.0.0.0","PublicIPv6":"fd00::1","BackendType":"host-gw"}`,
	`{"PublicIP":"10.4.7.21","PublicIPv6":null,"BackendType":"vxlan","BackendData":null}`,
}

func TestScanTakesWhatStoresHold(t *testing.T) {
	for _, doc := range scanned {
		if v := (value{}); !v.scan([]byte(doc)) {
			t.Errorf("%s is left to the slow reader", doc)
		}
	}
}

// FuzzScan checks that the quick reader takes nothing in another way than
// encoding/json does.
func FuzzScan(f *testing.F) {
	for _, doc := range scanned {
		f.Add(doc)
	}
	f.Add(`{"PublicIP":"1.2.3.4","PublicIPv6":null,"BackendType":"vxlan","BackendData":{},"BackendV6Data":{}}`)
	f.Add(`{"PublicIP":"1.2.3.4","PublicIPv6":null,"BackendType":"a","BackendData":1}}`)
	f.Add(`{"PublicIP":"1.2.3.4\u0031","PublicIPv6":null,"BackendType":"a<b"}`)
	f.Fuzz(func(t *testing.T, doc string) {
		var quick, general value
		if !quick.scan([]byte(doc)) {
			return
		}
		if err := json.Unmarshal([]byte(doc), &general); err != nil {
			t.Fatalf("%q is taken but is not JSON: %v", doc, err)
		}
		if d := cmp.Diff(general, quick); d != "" {
			t.Errorf("%q (-general +quick):\n%s", doc, d)
		}
		if isPlain(quick.BackendData) && len(quick.BackendData) > 0 {
			again, err := json.Marshal(quick.BackendData)
			if err != nil || string(again) != string(quick.BackendData) {
				t.Errorf("%s is written as %s, %v", quick.BackendData, again, err)
			}
		}
	})
}
