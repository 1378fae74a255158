package web

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"wirepatch/board/command"
	"wirepatch/mgmt/out"
)

// The support bundle is what somebody far away needs to understand a box: its
// state, its figures, its log, its settings, nothing that opens a door and no
// bytes of anybody's traffic.

// secretForms find what must not leave the box in text: the set-up code, tokens,
// and credentials within addresses.
var secretForms = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(setup_code=)[^\s"\\]+`), "${1}(left out)"},
	{regexp.MustCompile(`wirepatch_[A-Za-z0-9_-]{20,}`), "(token left out)"},
	{credentials, "${1}(left out)@"},
	{regexp.MustCompile(`(?i)((?:password|secret|token|key)\s*[=:]\s*)[^\s"\\]+`), "${1}(left out)"},
}

func withoutSecrets(text string) string {
	for _, f := range secretForms {
		text = f.form.ReplaceAllString(text, f.with)
	}
	return text
}

// part is one file of the bundle.
type part struct {
	name string
	text []byte
}

func (s *Site) bundle(w http.ResponseWriter, r *http.Request, v visit) {
	text, err := pack(s.parts(r), s.Now())
	if err != nil {
		s.fail(w, r, v, http.StatusInternalServerError, "No bundle", sentence(err), "Look at the log.")
		return
	}
	s.audit(r, v, "system.bundle", "", fmt.Sprintf("%d bytes", len(text)), outcomeDone)
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="wirepatch-%s.tar.gz"`, s.Now().UTC().Format("20060102-150405")))
	w.Write(text)
}

// parts collects the files. What cannot be had says why in its place.
func (s *Site) parts(r *http.Request) []part {
	ctx := r.Context()
	var all []part
	add := func(name string, v any, err error) {
		if err != nil {
			v = apiError{err.Error()}
		}
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			text = []byte(err.Error())
		}
		all = append(all, part{name, []byte(withoutSecrets(string(text)))})
	}
	st := s.Wire.State()
	add("system.json", s.systemInfo(), nil)
	add("dataplane.json", st.Dataplane, nil)
	updates, err := s.Update.Status(ctx)
	add("updates.json", updates, err)
	head, err := s.Audit.Head()
	add("audit-head.json", head, err)
	add("events.json", s.Events.Health(), nil)
	var outputs []out.Status
	if s.Outputs != nil {
		outputs = s.Outputs.Status()
	}
	add("outputs.json", outputs, nil)
	roles := map[string]int{}
	for _, u := range s.Users.List() {
		roles[u.Role.String()]++
	}
	add("users.json", roles, nil)
	lines, err := s.Command.Log(ctx, command.MaxLog)
	if err != nil {
		lines = []string{err.Error()}
	}
	all = append(all, part{"log.txt", []byte(withoutSecrets(strings.Join(lines, "\n") + "\n"))})
	now, err := s.Changes.Keeper.Current(ctx)
	if err != nil {
		now.Text = "; " + err.Error() + "\n"
	}
	return append(all, part{"appliance.ini", []byte(withoutSecrets(now.Text))})
}

func pack(parts []part, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	for _, p := range parts {
		if err := t.WriteHeader(&tar.Header{Name: "wirepatch/" + p.name, Mode: 0o644, Size: int64(len(p.text)), ModTime: at}); err != nil {
			return nil, err
		}
		if _, err := t.Write(p.text); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}
