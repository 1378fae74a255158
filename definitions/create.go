package main

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"wirepatch/dataplane/patch"
)

// advisory is a CVE's number.
var advisory = regexp.MustCompile(`^[0-9]{4}-[0-9]{4,}$`)

//go:embed template.yaml
var template string

// ofCommands stands in the template for protocols of commands and replies.
const ofCommands = `proof: vectors only
rules:
  - at: command
    when: name == "example" && argument.contains("trigger")
    do: {reject: {status: 501, reason: Syntax error in parameters or arguments}}
tests:
  - name: the command is refused, the session lives on
    steps:
      - server: "220 ready\r\n"
      - client: "EXAMPLE trigger\r\n"
        server_gets: ""
        client_gets: "501 Syntax error in parameters or arguments\r\n"
      - client: "QUIT\r\n"
      - server: "221 bye\r\n"
  - name: harmless, the command without the trigger
    steps:
      - server: "220 ready\r\n"
      - client: "EXAMPLE fine\r\n"
      - server: "200 ok\r\n"
`

// templates are what stands behind the protocol's name, where it is not as for
// http.
var templates = map[string]string{
	"ftp": ofCommands, "smtp": ofCommands,
	"mqtt": `proof: vectors only
rules:
  - at: client.publish
    when: topic == "example" && payload.contains("trigger")
    do: drop
tests:
  - name: the message is dropped, the session lives on
    client: "${unhex('3010 0007 6578616d706c65')}trigger${unhex('c000')}"
    server: "${unhex('c000')}"
  - name: harmless, another topic
    client: "${unhex('300a 0001 74')}trigger"
`,
}

// create writes a new definition that passes its own tests, to be changed.
func create(args []string, out io.Writer) error {
	if len(args) < 1 || len(args) > 2 {
		return fmt.Errorf("new: found %d arguments; want an id, for instance WP-2025-29927, and a protocol when it is not http", len(args))
	}
	text := strings.Replace(template, "id: ID\n", "id: "+args[0]+"\n", 1)
	if number, is := strings.CutPrefix(args[0], "WP-"); is && advisory.MatchString(number) {
		text = strings.Replace(text, "CVE-2099-0001", "CVE-"+number, 1)
	}
	if len(args) == 2 && args[1] != "http" {
		tail, ok := templates[args[1]]
		if !ok {
			return fmt.Errorf("new: no template for %q; want one of http, %s", args[1], strings.Join(slices.Sorted(maps.Keys(templates)), ", "))
		}
		head, _, _ := strings.Cut(text, "protocol: http\n")
		text = head + "protocol: " + args[1] + "\n" + tail
	}
	if _, err := patch.Parse(args[0], []byte(text)); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	path := filepath.Join(folder, args[0], patch.FileName)
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("new: %s is there already; choose another id", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	fmt.Fprintf(out, "%s written; change it, then run: go run ./definitions test %s\n", path, path)
	return nil
}
