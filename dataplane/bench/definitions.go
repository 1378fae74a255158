package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"wirepatch/dataplane/bench/load"
)

// head opens each definition of the bench.
const head = `id: %s
revision: 1
title: measured
vulnerabilities: [TEST-0001]
product:
  name: bench
  cpe: cpe:2.3:a:wirepatch:bench
  affected: [">=1.0"]
behaviour: None, this is load.
sources: ["https://example.org/"]
protocol: http
proof: vectors only
rules:
`

// marked is the definition that changes requests which bear the mark.
const marked = `  - at: request.header
    when: name == "%[1]s"
    do: {remove: element}
tests:
  - name: the header goes
    client: "GET / HTTP/1.1\r\nHost: a\r\n%[1]s: b\r\n\r\n"
    server: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
`

// others look for what the load does not hold, as definitions mostly do: at
// its path, a header that it has not, a value of one that it has, a header of
// the response. They hold the number of the definition.
var others = []string{`  - at: request.header
    when: name == "x-forwarded-%[1]d" && value.contains("..")
    do: {set: {field: value, to: "-"}}
tests:
  - name: the value is set
    client: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-%[1]d: a..b\r\n\r\n"
    server: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-%[1]d: -\r\n\r\n"
`, `  - at: request.line
    when: path.startsWith("/shop%[1]d/") && path.matches("(?i)%%2e")
    do: {reject: {status: 403}}
tests:
  - name: the request is refused
    client: "GET /shop%[1]d/%%2e HTTP/1.1\r\nHost: a\r\n\r\n"
    server: ""
    client_gets: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
`, `  - at: request.header
    when: name == "cookie" && value.contains("session-%[1]d=")
    do: {remove: element}
tests:
  - name: the cookie goes
    client: "GET / HTTP/1.1\r\nHost: a\r\nCookie: session-%[1]d=b\r\n\r\n"
    server: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
`, `  - at: response.header
    when: name == "x-debug-%[1]d"
    do: {remove: element}
tests:
  - name: the header goes
    client: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    server: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    response: "HTTP/1.1 200 OK\r\nX-Debug-%[1]d: b\r\nContent-Length: 0\r\n\r\n"
    client_gets: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
`}

// harmless is the test that every definition needs of what it leaves alone.
const harmless = `  - name: harmless, another request
    client: "GET / HTTP/1.1\r\nHost: a\r\nX-Other: b\r\n\r\n"
`

// ourDefinitions stands for those of the product, in the place of a number.
const ourDefinitions = -1

// ourFolder is where they are.
func ourFolder() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "definitions"), nil
}

// writeDefinitions fills a folder with count definitions, the marked one and
// others in turns.
func writeDefinitions(folder string, count int) error {
	for i := range count {
		id := fmt.Sprintf("WP-2026-%d", 10_000+i)
		text := fmt.Sprintf(head, id)
		if i == 0 {
			text += fmt.Sprintf(marked, strings.ToLower(load.Mark))
		} else {
			text += fmt.Sprintf(others[i%len(others)], i)
		}
		text += harmless
		dir := filepath.Join(folder, id)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "patch.yaml"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
