package spdx

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"wirepatch/images/deb"
)

func TestJSON(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("no build information")
	}
	scripts, err := Scripts("../../mgmt/web/libraries.json")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts %v, error %v", scripts, err)
	}
	text, err := JSON(Source{Name: "wirepatch-x", Version: "1.2", SHA256: strings.Repeat("a", 64), Build: info,
		Packages: []*deb.Package{{Name: "linux-image-6.12.1-amd64", Version: "6.12.1-1", SHA256: strings.Repeat("b", 64)}},
		Scripts:  scripts,
		License:  func(string, string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	ids := map[string]element{}
	for _, e := range d.Packages {
		if _, twice := ids[e.ID]; twice {
			t.Errorf("SPDXID %s is there twice", e.ID)
		}
		ids[e.ID] = e
	}
	for _, r := range d.Relationships {
		if _, ok := ids[r.To]; !ok {
			t.Errorf("relationship to %s, which is not there", r.To)
		}
	}
	k := ids["SPDXRef-deb-linux-image-6.12.1-amd64"]
	if k.Version != "6.12.1-1" || k.Declared != "GPL-2.0-only" || k.Checksums[0].Value != strings.Repeat("b", 64) {
		t.Errorf("the kernel is %+v; want its version, licence and checksum", k)
	}
}

// The versions in the bill are those of the files that pages load.
func TestScripts(t *testing.T) {
	const web = "../../mgmt/web/"
	scripts, err := Scripts(web + "libraries.json")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"htmx.org": "htmx.min.js", "uplot": "uplot.min.js"}
	for _, s := range scripts {
		text, err := os.ReadFile(web + "static/" + files[s.Name])
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if !strings.Contains(string(text), s.Version) {
			t.Errorf("%s is not version %s of %s", files[s.Name], s.Version, s.Name)
		}
	}
	file := filepath.Join(t.TempDir(), "libraries.json")
	if err := os.WriteFile(file, []byte(`{"dependencies": {"a": "1"}, "licenses": {"b": "MIT"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Scripts(file); err == nil || !strings.Contains(err.Error(), "no licence of a") {
		t.Errorf("a library without a licence: %v", err)
	}
}

func TestIdentify(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n Version 2.0, January 2004":                                                    "Apache-2.0",
		"Permission is hereby granted, free of\ncharge, to any person":                                  "MIT",
		"Redistribution and use in source and binary forms … Neither the name of":                       "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without":                            "BSD-2-Clause",
		"Permission to use, copy, modify, and distribute this software for any purpose with or without": "ISC",
		"All rights reserved": "",
	} {
		if got := Identify(text); got != want {
			t.Errorf("Identify(%.30q) = %q; want %q", text, got, want)
		}
	}
}
