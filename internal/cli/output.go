package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// Values of --output.
const (
	outputText = "text"
	outputWide = "wide"
	outputJSON = "json"
	outputYAML = "yaml"
)

// outputForms are the values of --output, the first being the default. Where a
// command has no more to say, wide is text.
var outputForms = []string{outputText, outputWide, outputJSON, outputYAML}

// documentVersion is the version of all documents that --output=json and yaml
// print. Fields are added without a new one; a field that is renamed, removed
// or gets another meaning makes a new one.
const documentVersion = "weft/v1"

// header begins every document.
type header struct {
	APIVersion string `json:"apiVersion"` // documentVersion
	Kind       string `json:"kind"`
}

func newHeader(kind string) header { return header{documentVersion, kind} }

// forPeople tells whether a form is text.
func forPeople(form string) bool { return form != outputJSON && form != outputYAML }

// present prints doc in a form for programs, or else what text prints.
func present(w io.Writer, form string, doc any, text func() error) error {
	switch form {
	case outputJSON:
		return printJSON(w, doc)
	case outputYAML:
		return printYAML(w, doc)
	}
	return text()
}

func printJSON(w io.Writer, doc any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(withoutNull(doc))
}

// printYAML prints JSON, which is YAML as well, if a text in doc has characters
// that a printer escapes: its escapes mean the same only between double quotes.
func printYAML(w io.Writer, doc any) error {
	text, err := yaml.Marshal(withoutNull(doc))
	if err != nil {
		return err
	}
	if bytes.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		return printJSON(w, doc)
	}
	_, err = w.Write(text)
	return err
}

// withoutNull returns a copy of the struct doc in which lists and maps without
// elements are there all the same, so that a document says [] and {}, not null.
func withoutNull(doc any) any {
	copied := reflect.New(reflect.TypeOf(doc)).Elem()
	copied.Set(reflect.ValueOf(doc))
	fillNull(copied)
	return copied.Interface()
}

// fillNull changes v, which can be set, and copies the lists that it changes.
func fillNull(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() || v.Type().Field(i).Anonymous {
				fillNull(v.Field(i))
			}
		}
	case reflect.Map:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeMap(v.Type()))
		}
	case reflect.Slice:
		if !v.CanSet() || v.Type().Elem().Kind() == reflect.Uint8 {
			return // text, such as a json.RawMessage
		}
		filled := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(filled, v)
		for i := range filled.Len() {
			fillNull(filled.Index(i))
		}
		v.Set(filled)
	}
}

// addOutputFlag adds --output and -o.
func addOutputFlag(cmd *cobra.Command, to *string) {
	addFormFlag(cmd, to, "output", outputForms)
}

// addFormFlag adds a flag for the form of what is printed, the first of forms
// being the default, with the short form -o.
func addFormFlag(cmd *cobra.Command, to *string, name string, forms []string) {
	v := newValue(to, "form", forms[0], func(s string) (string, error) {
		if !slices.Contains(forms, s) {
			return "", fmt.Errorf("must be one of %s", strings.Join(forms, ", "))
		}
		return s, nil
	})
	cmd.Flags().VarP(v, name, "o", "form of the output: "+strings.Join(forms, ", "))
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
}
