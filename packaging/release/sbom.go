package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"io"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// sboms writes for each architecture what the programs are made of, as the programs themselves say: a
// bill of materials in CycloneDX's JSON.
func (r *release) sboms(context.Context) error {
	for _, arch := range r.arches {
		bom, err := r.bill(arch)
		if err != nil {
			return err
		}
		err = writeTo(r.result(r.name("linux-"+arch+".cdx.json")), func(w io.Writer) error {
			return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *release) bill(arch string) (*cyclonedx.BOM, error) {
	parts := map[string]cyclonedx.Component{}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(r.stage(arch), program))
		if err != nil {
			return nil, err
		}
		std := module(debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")})
		parts[std.BOMRef] = std
		for _, dep := range info.Deps {
			if dep.Replace != nil {
				dep = dep.Replace
			}
			part := module(*dep)
			parts[part.BOMRef] = part
		}
	}
	weft := module(debug.Module{Path: "github.com/weft-net/weft", Version: r.version})
	weft.Type = cyclonedx.ComponentTypeApplication
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: r.date.Format(time.RFC3339), Component: &weft}
	components, refs := []cyclonedx.Component{}, []string{}
	for _, part := range parts {
		components, refs = append(components, part), append(refs, part.BOMRef)
	}
	slices.SortFunc(components, func(a, b cyclonedx.Component) int { return cmp.Compare(a.BOMRef, b.BOMRef) })
	slices.Sort(refs)
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: weft.BOMRef, Dependencies: &refs}}
	return bom, nil
}

// module is a Go module as a component; its hash is the one in go.sum.
func module(m debug.Module) cyclonedx.Component {
	url := "pkg:golang/" + m.Path + "@" + m.Version
	c := cyclonedx.Component{BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url}
	if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
		if raw, err := base64.StdEncoding.DecodeString(sum); err == nil {
			c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
		}
	}
	return c
}
