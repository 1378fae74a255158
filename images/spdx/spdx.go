// Package spdx writes an image's bill of materials as SPDX 2.3 JSON: the Go
// modules that are linked in, the Debian packages that files were taken from, the
// scripts from npm that pages load, with versions, checksums and licences. The same input gives the same text.
package spdx

import (
	"encoding/json"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"

	"wirepatch/images/deb"
)

// Source is what an image was made of.
type Source struct {
	Name     string // of the image
	Version  string
	SHA256   string // of the unified kernel image
	Build    *debug.BuildInfo
	Packages []*deb.Package
	Scripts  []Script
	// License returns the SPDX identifier of a Go module's licence.
	License func(module, version string) string
}

// created is fixed: when it was built is no property of what was built.
const created = "2026-01-01T00:00:00Z"

const noAssertion = "NOASSERTION"

type document struct {
	Version       string         `json:"spdxVersion"`
	License       string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      creation       `json:"creationInfo"`
	Packages      []element      `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type element struct {
	ID        string      `json:"SPDXID"`
	Name      string      `json:"name"`
	Version   string      `json:"versionInfo"`
	Location  string      `json:"downloadLocation"`
	Analyzed  bool        `json:"filesAnalyzed"`
	Declared  string      `json:"licenseDeclared"`
	Concluded string      `json:"licenseConcluded"`
	Copyright string      `json:"copyrightText"`
	Checksums []checksum  `json:"checksums,omitempty"`
	Refs      []reference `json:"externalRefs,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type reference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

// JSON returns the bill.
func JSON(s Source) ([]byte, error) {
	d := document{Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: s.Name,
		Namespace: "https://wirepatch.invalid/spdx/" + s.Name + "-" + s.SHA256,
		Creation:  creation{Created: created, Creators: []string{"Tool: wirepatch-images-build-" + s.Version}}}
	const image = "SPDXRef-image"
	d.add(element{ID: image, Name: s.Name, Version: s.Version, Declared: "Apache-2.0", Checksums: sha256(s.SHA256)}, "", "")
	d.relate(d.ID, "DESCRIBES", image)
	d.add(element{ID: "SPDXRef-go", Name: "go", Version: s.Build.GoVersion, Declared: "BSD-3-Clause",
		Refs: purl("pkg:golang/std@" + strings.TrimPrefix(s.Build.GoVersion, "go"))}, image, "STATIC_LINK")
	for _, m := range s.Build.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		d.add(element{ID: "SPDXRef-go-" + id(m.Path), Name: m.Path, Version: m.Version, Declared: s.License(m.Path, m.Version),
			Refs: purl("pkg:golang/" + m.Path + "@" + m.Version)}, image, "STATIC_LINK")
	}
	for _, p := range s.Packages {
		d.add(element{ID: "SPDXRef-deb-" + id(p.Name), Name: p.Name, Version: p.Version, Declared: debian(p.Name),
			Checksums: sha256(p.SHA256), Refs: purl("pkg:deb/debian/" + p.Name + "@" + p.Version + "?arch=amd64")}, image, "CONTAINS")
	}
	for _, c := range s.Scripts {
		d.add(element{ID: "SPDXRef-npm-" + id(c.Name), Name: c.Name, Version: c.Version, Declared: c.License,
			Refs: purl("pkg:npm/" + c.Name + "@" + c.Version)}, image, "CONTAINS")
	}
	text, err := json.MarshalIndent(d, "", "\t")
	return append(text, '\n'), err
}

func (d *document) add(e element, in, how string) {
	e.Location, e.Concluded, e.Copyright = noAssertion, noAssertion, noAssertion
	if e.Declared == "" {
		e.Declared = noAssertion
	}
	d.Packages = append(d.Packages, e)
	if in != "" {
		d.relate(in, how, e.ID)
	}
}

func (d *document) relate(from, how, to string) {
	d.Relationships = append(d.Relationships, relationship{from, how, to})
}

// debian is the licence of a Debian package that images take files from.
func debian(name string) string {
	switch {
	case strings.HasPrefix(name, "linux-image-"), name == "e2fsck-static":
		return "GPL-2.0-only"
	case name == "systemd-boot-efi":
		return "LGPL-2.1-or-later"
	}
	return noAssertion
}

func sha256(sum string) []checksum { return []checksum{{"SHA256", sum}} }

func purl(s string) []reference { return []reference{{"PACKAGE-MANAGER", "purl", s}} }

var notID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func id(name string) string { return fmt.Sprint(notID.ReplaceAllString(name, "-")) }
