package spdx

import (
	"encoding/json"
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
	text, err := JSON(Source{Name: "wirepatch-x", Version: "1.2", SHA256: strings.Repeat("a", 64), Build: info,
		Packages: []*deb.Package{{Name: "linux-image-6.12.1-amd64", Version: "6.12.1-1", SHA256: strings.Repeat("b", 64)}},
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
