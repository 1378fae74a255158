package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"wirepatch/board/keeper"
	"wirepatch/board/sealed"
)

// sealing is a box whose settings are one word; init's own is tried in a machine.
type sealing struct{ word, who string }

func (s *sealing) Export(_ context.Context, passphrase string) (*os.File, error) {
	b, err := sealed.Seal(passphrase, []byte(s.word))
	if err != nil {
		return nil, err
	}
	f, err := keeper.Memory("test")
	if err != nil {
		return nil, err
	}
	_, err = f.Write(b)
	return f, err
}

func (s *sealing) Import(_ context.Context, who, passphrase string, file *os.File) error {
	b, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	plain, err := sealed.Open(passphrase, b)
	if err == nil {
		s.word, s.who = string(plain), who
	}
	return err
}

// TestExportImport: an administrator takes all that was set up home in a file,
// and brings it back; what is wrong with a file is said and changes nothing.
func TestExportImport(t *testing.T) {
	l := newLab(t)
	l.setPassword()
	l.addUsers()
	const passphrase = "correct horse"
	w := l.post("admin", "/settings/export", "passphrase", passphrase, "repeat", passphrase, "present", testPassword)
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "keeps no settings beyond power-off") {
		t.Errorf("export of a box that keeps nothing: %d", w.Code)
	}
	box := &sealing{word: "first"}
	l.keeper.Box = box
	for _, tt := range []struct{ passphrase, repeat, want string }{{"short", "short", "too short"}, {passphrase, "other horses", "passphrases differ"}} {
		w := l.post("admin", "/settings/export", "passphrase", tt.passphrase, "repeat", tt.repeat, "present", testPassword)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("export with %q, %q: %d; want it refused, %s", tt.passphrase, tt.repeat, w.Code, tt.want)
		}
	}
	for _, present := range []string{"", "not the password"} {
		w := l.post("admin", "/settings/export", "passphrase", passphrase, "repeat", passphrase, "present", present)
		if w.Code != http.StatusUnprocessableEntity || w.Header().Get("Content-Disposition") != "" {
			t.Errorf("export with the password %q: %d; want it refused", present, w.Code)
		}
		w = l.upload("admin", "/settings/import", "hello", "passphrase", passphrase, "sure", "yes", "present", present)
		if w.Code != http.StatusUnprocessableEntity || strings.Contains(w.Body.String(), "no file of exported settings") {
			t.Errorf("import with the password %q: %d; want it refused", present, w.Code)
		}
	}
	l.advance(time.Hour) // wrong passwords have to be waited out
	w = l.post("admin", "/settings/export", "passphrase", passphrase, "repeat", passphrase, "present", testPassword)
	file := bytes.Clone(w.Body.Bytes())
	if plain, err := sealed.Open(passphrase, file); err != nil || string(plain) != "first" || !strings.Contains(w.Header().Get("Content-Disposition"), ".export") {
		t.Fatalf("export: %d, %q, %v", w.Code, plain, err)
	}
	box.word = "second"
	harmed := bytes.Clone(file)
	harmed[len(harmed)-1] ^= 1
	for _, tt := range []struct{ file, passphrase, sure, want string }{
		{string(file), "wrong horses", "yes", "the passphrase is wrong"},
		{string(harmed), passphrase, "yes", "damaged or was changed"},
		{"hello", passphrase, "yes", "no file of exported settings"},
		{string(file), passphrase, "", "tick that you are sure"},
	} {
		w := l.upload("admin", "/settings/import", tt.file, "passphrase", tt.passphrase, "sure", tt.sure, "present", testPassword)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), tt.want) || box.word != "second" {
			t.Errorf("import: %d, the box has %q; want it refused: %s", w.Code, box.word, tt.want)
		}
	}
	if w := l.upload("operator", "/settings/import", string(file), "passphrase", passphrase, "sure", "yes", "present", testPassword); w.Code != http.StatusForbidden {
		t.Errorf("import by an operator: %d; want 403", w.Code)
	}
	if w := l.upload("admin", "/settings/import", string(file), "passphrase", passphrase, "sure", "yes", "present", testPassword); w.Code != http.StatusSeeOther || box.word != "first" || box.who != "admin" {
		t.Errorf("import: %d, the box has %q by %q; want the exported one", w.Code, box.word, box.who)
	}
	// The same for a program, which sends the file in base64.
	box.word = "third"
	c, _ := l.session()
	in, err := json.Marshal(map[string]string{"passphrase": passphrase, "sure": "yes", "present": testPassword, "text": base64.StdEncoding.EncodeToString(file)})
	l.must(err)
	if w := l.do("POST", "/api/v1/settings/import", string(in), with(c)); w.Code != http.StatusOK || box.word != "first" {
		t.Errorf("import by a program: %d %s", w.Code, w.Body)
	}
}
