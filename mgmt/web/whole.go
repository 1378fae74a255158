package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// errRepeat is a passphrase that was mistyped once: nobody could open the file.
var errRepeat = errors.New("the two passphrases differ; type the same one twice")

// exportSettings sends all that was set up on the box as one sealed file.
func (s *Site) exportSettings(w http.ResponseWriter, r *http.Request, v visit) {
	in, ok := s.input(w, r, v)
	if !ok {
		return
	}
	var file bytes.Buffer
	err := errRepeat
	if in.Get("passphrase") == in.Get("repeat") {
		err = s.Changes.Keeper.Export(r.Context(), in.Get("passphrase"), &file)
	}
	if err != nil {
		s.audit(r, v, "settings.export", "", err.Error(), outcomeFailed)
		s.show(w, v, http.StatusBadRequest, "error", "Not done", failure{"Not done", sentence(err), "Go back and correct it.", "/settings"})
		return
	}
	s.audit(r, v, "settings.export", "", fmt.Sprintf("%d bytes", file.Len()), outcomeDone)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="wirepatch-%s.export"`, s.Now().UTC().Format("20060102-150405")))
	w.Write(file.Bytes())
}

// importSettings takes such a file; the box restarts with it.
func (s *Site) importSettings(r *http.Request, v visit, in url.Values) (done, error) {
	file := in.Get("text")
	if in.Get("sure") != "yes" || file == "" {
		return done{}, faulty("choose a file, and tick that you are sure: the box restarts")
	}
	err := s.Changes.Keeper.Import(r.Context(), v.who, in.Get("passphrase"), strings.NewReader(file), int64(len(file)))
	return done{Object: fmt.Sprintf("%d bytes", len(file))}, err
}
