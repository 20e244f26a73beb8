package docker

import (
	"encoding/json"
	"strings"
	"testing"
)

// documents are laid out in the ways that people and programs do.
var documents = []string{
	``, "\n", `{}`, "{ }\n", "{\n}\n",
	`{"debug":true}`,
	`{ "debug": true, "labels": ["a,b", "}"] }`,
	"{\n  \"debug\": true,\n  \"log-opts\": {\"max-size\": \"10m\"}\n}\n",
	"{\n\t\"debug\" : true\n}",
	"\n{\n  \"a\\u0062\": 1.50 ,\n\n  \"c\": null}\n\n",
	"{\r\n    \"debug\": true\r\n}\r\n",
	"\ufeff{\n  \"debug\": true\n}\n",
	"\ufeff{}",
}

func TestObjectKeepsItsText(t *testing.T) {
	for _, text := range documents {
		o, err := parseObject(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want := text; strings.TrimSpace(want) != "" && o.String() != want {
			t.Errorf("%q became %q", want, o)
		}
		checkAddRemove(t, o)
	}
}

// checkAddRemove holds that adding members and taking them away again gives
// the same object, and JSON in between.
func checkAddRemove(t *testing.T, o object) {
	t.Helper()
	if o.get("bip") != "" || o.get("mtu") != "" {
		return
	}
	more := o.with("bip", `"172.7.21.1/24"`).with("mtu", "1450")
	var values map[string]any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(more.String(), byteOrderMark)), &values); err != nil {
		t.Fatalf("%q: %v", more, err)
	}
	if values["bip"] != "172.7.21.1/24" || values["mtu"] != 1450.0 {
		t.Errorf("%q lacks what was added", more)
	}
	less := more.with("mtu", "").with("bip", "")
	if len(o.members) > 0 && less.String() != o.String() {
		t.Errorf("%q, more and less, became %q", o, less)
	}
}

func TestObjectAddsInTheLayoutOfTheRest(t *testing.T) {
	for text, want := range map[string]string{
		``:                                 "{\n  \"mtu\": 1450\n}\n",
		`{}`:                               "{\n  \"mtu\": 1450\n}",
		`{"debug":true}`:                   `{"debug":true, "mtu":1450}`,
		`{ "a": 1, "b": 2 }`:               `{ "a": 1, "b": 2, "mtu": 1450 }`,
		"{\n\t\"debug\" : true\n}\n":       "{\n\t\"debug\" : true,\n\t\"mtu\" : 1450\n}\n",
		"{\n  \"mtu\": 1500,\n  \"a\": 1}": "{\n  \"mtu\": 1450,\n  \"a\": 1}",
	} {
		o, err := parseObject(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.with("mtu", "1450").String(); got != want {
			t.Errorf("%q became\n%q, want\n%q", text, got, want)
		}
	}
}

func TestObjectRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"{\n \"a\": 1,\n}":  "not JSON: line 3",
		"{\"a\": 1} {}":     "not JSON: line 1",
		"[]":                "not a JSON object",
		"// c\n{\"a\": 1}":  "not JSON: line 1",
		"{\"a\": 1":         "not JSON",
		"\"bip\"":           "not a JSON object",
		"{\"a\": \"\x01\"}": "not JSON",
	} {
		if o, err := parseObject(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want an error with %q", text, o, err, want)
		}
	}
}

func FuzzObject(f *testing.F) {
	for _, text := range documents {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseObject(text)
		if err != nil {
			return
		}
		if strings.TrimSpace(text) != "" && o.String() != text {
			t.Errorf("%q became %q", text, o)
		}
		checkAddRemove(t, o)
	})
}
