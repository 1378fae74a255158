package web

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"wirepatch/mgmt/change"
)

// leastPassphrase is how long an export's passphrase is at least, in bytes.
const leastPassphrase = 10

// exportSettings sends all that was set up on the box as one sealed file.
func (s *Site) exportSettings(w http.ResponseWriter, r *http.Request, v visit) {
	in, ok := s.input(w, r, v)
	if !ok {
		return
	}
	var file bytes.Buffer
	var err error
	switch {
	case in.Get("passphrase") != in.Get("repeat"):
		err = faulty("the two passphrases differ; type the same one twice")
	case len(in.Get("passphrase")) < leastPassphrase:
		err = faulty("the passphrase is too short: take %d characters or more", leastPassphrase)
	default:
		if err = s.confirmed(r, v, in); err != nil {
			break
		}
		err = s.Changes.Keeper.Export(r.Context(), in.Get("passphrase"), &file)
	}
	if err != nil {
		s.audit(r, v, "settings.export", "", err.Error(), outcomeFailed)
		s.answerAction(w, r, v, done{Back: "/settings"}, err)
		return
	}
	s.audit(r, v, "settings.export", "", fmt.Sprintf("%d bytes", file.Len()), outcomeDone)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="wirepatch-%s.export"`, s.Now().UTC().Format("20060102-150405")))
	w.Write(file.Bytes())
}

// importSettings takes such a file, from programs in base64; the box restarts with
// it.
func (s *Site) importSettings(r *http.Request, v visit, in url.Values) (done, error) {
	file := in.Get("text")
	if in.Get("sure") != "yes" || file == "" {
		return done{}, faulty("choose a file, and tick that you are sure: the box restarts")
	}
	if v.form == data {
		text, err := base64.StdEncoding.DecodeString(file)
		if err != nil {
			return done{}, faulty("text is not base64: %v", err)
		}
		file = string(text)
	}
	// It brings users along, and how many must approve.
	if n, err := s.Changes.Approvals(); err != nil || n > 0 {
		return done{}, errors.Join(err, fmt.Errorf("%w: an import takes users and settings in at once, and here others must approve changes; set that to nobody first, which they approve", change.ErrState))
	}
	if err := s.confirmed(r, v, in); err != nil {
		return done{}, err
	}
	err := s.Changes.Keeper.Import(r.Context(), v.who, in.Get("passphrase"), strings.NewReader(file), int64(len(file)))
	return done{Object: fmt.Sprintf("%d bytes", len(file))}, err
}
