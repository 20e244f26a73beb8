package cli

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/peerapi"
)

// documents are what --output=json and yaml print, by kind.
var documents = map[string]any{
	"Check":           checkDocument{},
	"Clean":           cleanDocument{},
	"Config":          storedConfig{},
	"ConfigPreflight": preflightDocument{},
	"ConfigReport":    configReport{},
	"DockerBridge":    bridgeDocument{},
	"Event":           eventDocument{},
	"Explanation":     explanationDocument{},
	"Lab":             labDocument{},
	"Key":             keyDocument{},
	"LeaseList":       leasesDocument{},
	"Ping":            pingDocument{},
	"Plan":            planDocument{},
	"PlanDiff":        diffDocument{},
	"Status":          statusDocument{},
	"Version":         versionDocument{},
}

// fieldRow matches a line of a table of fields: path and type.
var fieldRow = regexp.MustCompile("^\\| `([^`]+)` \\| ([^|]+) \\| [^|]+ \\|$")

// TestReferenceDescribesTheDocuments compares the tables of the reference with
// the types that are printed: each document has a section with its kind as the
// heading.
func TestReferenceDescribesTheDocuments(t *testing.T) {
	data, err := os.ReadFile("../../docs/reference/output.md")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]map[string]string{}
	for _, section := range strings.Split(string(data), "\n## ")[1:] {
		kind, text, _ := strings.Cut(section, "\n")
		if kind, found := strings.CutPrefix(kind, "Kind "); found {
			described[kind] = tableOf(text)
		}
	}
	printed := map[string]map[string]string{}
	for kind, doc := range documents {
		printed[kind] = map[string]string{}
		addFields(printed[kind], "", reflect.TypeOf(doc))
	}
	if diff := cmp.Diff(described, printed); diff != "" {
		t.Errorf("docs/reference/output.md (-) differs from what is printed (+):\n%s", diff)
	}
}

// TestReferenceDescribesTheInterfaces does the same for what agents serve.
func TestReferenceDescribesTheInterfaces(t *testing.T) {
	data, err := os.ReadFile("../../docs/reference/api.md")
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]any{"GET /v1/paths": api.PeerPath{}, "GET " + api.PathCheck: peerapi.Answer{}, "GET /v1/key": api.Key{}}
	for _, section := range strings.Split(string(data), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		fields := map[string]string{}
		addFields(fields, "", reflect.TypeOf(served[name]))
		if diff := cmp.Diff(tableOf(text), fields); diff != "" {
			t.Errorf("docs/reference/api.md (-) differs from what %s serves (+):\n%s", name, diff)
		}
		delete(served, name)
	}
	if len(served) > 0 {
		t.Errorf("docs/reference/api.md lacks %v", served)
	}
}

// tableOf returns the types of the fields in text's table, by path.
func tableOf(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if m := fieldRow.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			out[m[1]] = m[2]
		}
	}
	return out
}

// addFields adds the JSON fields of the struct t, by path.
func addFields(to map[string]string, path string, t reflect.Type) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			addFields(to, path, f.Type)
			continue
		case !f.IsExported():
			continue
		}
		word := typeWord(f.Type)
		if options != "" {
			word += ", optional"
		}
		to[path+name] = word
		addInner(to, path+name, f.Type)
	}
}

// addInner adds the fields of the objects that a field of type t holds.
func addInner(to map[string]string, path string, t reflect.Type) {
	switch word := typeWord(t); {
	case t.Kind() == reflect.Pointer:
		addInner(to, path, t.Elem())
	case t.Kind() == reflect.Slice && strings.HasPrefix(word, "list"):
		addInner(to, path+"[]", t.Elem())
	case t.Kind() == reflect.Struct && word == "object":
		addFields(to, path+".", t)
	}
}

// typeWord is how the reference names a type.
func typeWord(t reflect.Type) string {
	switch reflect.Zero(t).Interface().(type) {
	case time.Time:
		return "time"
	case netip.Addr:
		return "address"
	case netip.Prefix:
		return "CIDR"
	case json.RawMessage:
		return "object"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeWord(t.Elem())
	case reflect.Slice:
		return "list of " + typeWord(t.Elem())
	case reflect.Map:
		return fmt.Sprintf("object of %s", typeWord(t.Elem()))
	case reflect.Struct:
		return "object"
	case reflect.Float64:
		return "number"
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Uint32, reflect.Uint16:
		return "integer"
	}
	panic(fmt.Sprintf("%s has no word", t))
}

// TestDocumentsHaveNoNull prints each document without any data.
func TestDocumentsHaveNoNull(t *testing.T) {
	for kind, doc := range documents {
		if kind == "Config" {
			continue // its config is text, never absent
		}
		var out strings.Builder
		if err := printJSON(&out, doc); err != nil {
			t.Fatal(err)
		}
		for _, avoided := range []string{"null", "0001-01-01"} {
			if strings.Contains(out.String(), avoided) {
				t.Errorf("%s without data says %s:\n%s", kind, avoided, &out)
			}
		}
	}
}

// TestWithoutNullLeavesTheOriginal holds that a document is printed from a
// copy: a status is also read by others.
func TestWithoutNullLeavesTheOriginal(t *testing.T) {
	doc := labDocument{}
	doc.Hosts = append(doc.Hosts, holder.HostStatus{Name: "h1"})
	if filled := withoutNull(doc).(labDocument); filled.Hosts[0].Pods == nil {
		t.Error("an inner list is still null")
	}
	if doc.Hosts[0].Pods != nil {
		t.Error("the original was changed")
	}
}
