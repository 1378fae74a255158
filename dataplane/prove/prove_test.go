package prove

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A few pairs, without mutations, so that what proves the others stays sound: two
// on Node.js, one in Go, and one over UDP whose versions both live on. All of them:
// make prove.
func TestPairs(t *testing.T) {
	results, err := Run(t.Context(), Options{
		Definitions: filepath.Join("..", "..", "definitions"), Out: filepath.Join("..", "..", "out", "prove"),
		IDs: []string{"WP-2014-3744", "WP-2021-23386", "WP-2022-41919", "WP-2023-29401"}, Quick: true, Log: logTo{t},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 4 || !Whole(results) {
		t.Errorf("results = %+v; want four, all triggers equivalent, nothing harmed", results)
	}
}

// A proof fails where the definition is not what the vendor's patch is: with a
// definition that corrects something else, triggers are not equivalent.
func TestFalseDefinition(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join("..", "..", "definitions", "WP-2014-3744")
	to := filepath.Join(dir, "WP-2014-3744")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(to, "patch.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(b), "rules:\n")
	text := before + `rules:
  - at: request.header
    when: name == "x-forwarded-proto"
    do: {remove: element}
tests:
  - name: it is removed
    client: "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n"
    server: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
  - name: harmless, without
    client: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	results, err := Run(t.Context(), Options{Definitions: dir, Out: filepath.Join("..", "..", "out", "prove"),
		IDs: []string{"WP-2014-3744"}, Quick: true, Log: logTo{t}})
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Equivalent != 0 || r.Triggers == 0 || r.Harmed != 0 || Whole(results) {
		t.Errorf("result = %+v; want triggers, none equivalent, and so not whole", r)
	}
}

// logTo writes lines to a test's log.
type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}
