package netconf

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestEdit(t *testing.T) {
	tests := []struct{ doc, settings, want string }{
		{``, `Network="10.5.0.0/16"`, `{"Network": "10.5.0.0/16"}`},
		{`{"Network":"10.5.0.0/16"}`, `Backend.VNI=2 Backend.Port=4789`, `{"Network": "10.5.0.0/16", "Backend": {"VNI": 2, "Port": 4789}}`},
		{`{"Other": [1, 2], "backend": {"Type": "vxlan", "vni": 1, "DirectRouting": true}}`, `Backend.VNI=2`,
			`{"Other": [1, 2], "backend": {"Type": "vxlan", "vni": 2, "DirectRouting": true}}`},
		{`{"VNI": 1, "vni": 2}`, `Vni=3`, `{"VNI": 3}`},
		{`{"A": 1, "Backend": {"Port": 1, "VNI": 2}}`, `backend.port=`, `{"A": 1, "Backend": {"VNI": 2}}`},
		{`{"A": 1}`, `Backend.Port=`, `{"A": 1}`},
		{`{"A": 1}`, `A= B=`, `{}`},
		{"{\n\t\"A\": 1\n}", `B={"C":2}`, "{\n  \"A\": 1,\n  \"B\": {\n    \"C\": 2\n  }\n}\n"},
		{`{"A": 1}`, `A.B=1`, `error: A.B: 1 is not an object`},
		{`[]`, `A=1`, `error: [] is not a JSON object, such as {"Network": "10.244.0.0/16"}`},
	}
	for _, tt := range tests {
		var settings []Setting
		for _, text := range strings.Fields(tt.settings) {
			key, value, _ := strings.Cut(text, "=")
			s := Setting{Key: key}
			if value != "" {
				s.Value = json.RawMessage(value)
			}
			settings = append(settings, s)
		}
		out, err := Edit([]byte(tt.doc), settings...)
		got := string(out)
		if err != nil {
			got = fmt.Sprint("error: ", err)
		}
		if got != tt.want {
			t.Errorf("Edit(%s, %s) = %s, want %s", tt.doc, tt.settings, got, tt.want)
		}
	}
}

// TestParseKnowsTheKeys holds the list of keys to what Parse reads.
func TestParseKnowsTheKeys(t *testing.T) {
	for _, key := range Keys {
		windows := key == "Backend.Name" || key == "Backend.MacPrefix"
		read := false
		for backend := range backends {
			doc, err := Edit([]byte(`{"Network": "10.5.0.0/16", "Backend": {"Type": "`+backend+`"}}`), Setting{key, json.RawMessage(`[[]]`)})
			if err != nil {
				t.Fatal(err)
			}
			net, err := Parse(doc)
			read = read || err != nil || windows && len(net.Unused) == 1
			if strings.Contains(fmt.Sprint(err), "unknown key") {
				t.Errorf("%s: unknown: %v", key, err)
			}
		}
		if !read {
			t.Errorf("%s: is not read by any backend", key)
		}
	}
}
