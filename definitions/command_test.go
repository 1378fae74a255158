package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What "new" writes is a definition that passes "test"; a second one does not
// overwrite it; "check" says faults with their place; "explain" shows the bytes.
func TestCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	must := func(want string, args ...string) {
		t.Helper()
		var out strings.Builder
		if err := run(args, &out); err != nil {
			t.Fatalf("run(%q) = %v\n%s", args, err, &out)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("run(%q) says\n%s\nwant it to say %q", args, &out, want)
		}
	}
	must("written", "new", "WP-2099-1")
	file := filepath.Join(folder, "WP-2099-1", "patch.yaml")
	must("ok    WP-2099-1 revision 1, 1 rules, 2 tests", "test")
	must("ok    WP-2099-1", "check", file)
	must("written", "new", "WP-2098-12345")
	must("ok    WP-2098-12345", "check", filepath.Join(folder, "WP-2098-12345"))
	if b, err := os.ReadFile(filepath.Join(folder, "WP-2098-12345", "patch.yaml")); err != nil || !strings.Contains(string(b), "[CVE-2098-12345]") {
		t.Errorf("new WP-2098-12345 writes %s, %v; want its CVE in it", b, err)
	}
	if err := run([]string{"new", "WP-2099-1"}, new(strings.Builder)); err == nil {
		t.Error("new over an existing definition succeeds; want an error")
	}
	if err := os.WriteFile("req", []byte("GET / HTTP/1.1\r\nHost: a\r\nX-Example: a trigger\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(`before "X-Example: a trigger\r\n"`, "explain", file, "--request", "req")

	must(`before "X-Example: a trigger\r\n"`, "explain", filepath.Dir(file), "--request", "req")
	if err := os.WriteFile("faulty", []byte("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must("the appliance itself: report request", "explain", file, "--request", "faulty")
	must("usage:", "explain", "--help")
	must("usage:", "test", "-h")

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fails := strings.Replace(string(b), "when: name", "when: request.headers['none'][0] == '1' && name", 1)
	if err := os.WriteFile(file, []byte(fails), 0o600); err != nil {
		t.Fatal(err)
	}
	must("could not be evaluated: rule 0 at request.header: no such key: none", "explain", file, "--request", "req")
	named := strings.Replace(string(b), "when: name", "when: here && name", 1) + "let:\n  there: name != \"a\"\n  here: there\n"
	if err := os.WriteFile(file, []byte(named), 0o600); err != nil {
		t.Fatal(err)
	}
	must(`, where here is there, where there is name != "a"`, "explain", file, "--request", "req")
	dear := strings.Replace(string(b), "when: name", "when: value.split('').all(c, value.split('').exists(d, c == d)) && name", 1)
	if err := errors.Join(os.WriteFile(file, []byte(dear), 0o600), os.WriteFile("long", []byte("GET / HTTP/1.1\r\nHost: a\r\nX-Example: "+strings.Repeat("ab", 2000)+"\r\n\r\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	must("rule 0: reset request.header, since it could not be judged", "explain", file, "--request", "long")
	broken := strings.Replace(string(b), "when: name", "when: nam", 1)
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run([]string{"check", folder}, &out); !errors.Is(err, errFound) {
		t.Errorf("check of a broken definition = %v; want %v", err, errFound)
	}
	if want := file + ":21:11: undeclared reference to 'nam'"; !strings.Contains(out.String(), want) {
		t.Errorf("check says\n%s\nwant it to say %q", &out, want)
	}
}

// Definitions in a folder of their own are read with the protocols described
// beside them, by whatever path they are named.
func TestOwnProtocols(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join("mine", "WP-2099-5")
	file := filepath.Join(dir, "patch.yaml")
	write(file, `id: WP-2099-5
revision: 1
title: a
vulnerabilities: [CVE-2099-0005]
product: {name: a, affected: ["<1"]}
behaviour: a
sources: [https://example.org/]
protocol: pingpong
proof: vectors only
rules:
  - at: command
    when: name == "ping" && argument == "evil"
    do: {reject: {raw: "ERR no\r\n"}}
tests:
  - name: refused
    client: "PING evil\r\n"
    server: ""
    client_gets: "ERR no\r\n"
  - name: harmless
    client: "PING fine\r\n"
`)
	var out strings.Builder
	if err := run([]string{"test", "mine"}, &out); !errors.Is(err, errFound) || !strings.Contains(out.String(), "protocols") {
		t.Errorf("test without the protocol = %v\n%s\nwant it to say where its description belongs", err, &out)
	}
	write(filepath.Join("mine", "protocols", "pingpong.yaml"), "protocol: pingpong\ntitle: a\nsources: [https://example.org/]\nlines: {}\n")
	for _, path := range []string{"mine", dir, file} {
		out.Reset()
		if err := run([]string{"test", path}, &out); err != nil {
			t.Errorf("test %s = %v\n%s", path, err, &out)
		}
	}
}
