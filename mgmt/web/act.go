package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"wirepatch/board/keeper"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/certs"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/cycle"
	"wirepatch/mgmt/feed"
	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/out"
	"wirepatch/mgmt/report"
)

// Outcomes in the audit log.
const (
	outcomeDone    = "done"
	outcomeRefused = "refused"
	outcomeFailed  = "failed"
)

// action is what changes something. Forms and programs get the same one.
type action struct {
	name, path string
	back       string // where a browser goes on
	may        auth.Role
	people     bool
	large      bool // takes a file
	do         doing
}

// doing carries an action out. What it was done to, and what a reader of the
// audit log should know besides, is told even when it fails.
type doing func(r *http.Request, v visit, in url.Values) (done, error)

// done is what came of an action.
type done struct {
	Object, Detail string
	Shown          *shown // what is to be seen once, now
	Result         any    // for programs; nil: {}
	Back           string // where a browser goes on, in place of the action's own
	recorded       bool   // in the audit log already
}

// shown is shown once and never again.
type shown struct {
	Title, Text string
	Lines       []string
}

// errInput marks what is wrong with what was handed in.
var errInput = errors.New("this cannot be taken")

func faulty(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errInput}, a...)...)
}

// actionTime is how long the answer to an action may take.
const actionTime = 3 * time.Minute

// act makes a handler of an action: reads the input, does it, keeps it in the
// audit log, answers.
func (s *Site) act(name, back string, do doing) handler {
	return func(w http.ResponseWriter, r *http.Request, v visit) {
		in, ok := s.input(w, r, v)
		if !ok {
			return
		}
		// A change is answered when the wire has it: definitions run their tests first.
		// Where the deadline cannot be moved the usual one holds.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(actionTime))
		d, err := do(r, v, in)
		outcome := outcomeDone
		if err != nil {
			outcome, d.Detail = outcomeFailed, err.Error()
		}
		if !d.recorded {
			s.audit(r, v, name, d.Object, d.Detail, outcome)
		}
		if d.Back == "" {
			d.Back = back
		}
		s.answerAction(w, r, v, d, err)
	}
}

func (s *Site) answerAction(w http.ResponseWriter, r *http.Request, v visit, d done, err error) {
	switch {
	case err != nil && v.form == data:
		writeError(w, statusOf(err), err.Error())
	case err != nil:
		s.show(w, v, statusOf(err), "error", "Not done", failure{"Not done", sentence(err), "Go back and correct it.", d.Back})
	case v.form == data:
		if d.Result == nil {
			d.Result = struct{}{}
		}
		writeJSON(w, http.StatusOK, d.Result)
	case d.Shown != nil:
		s.show(w, v, http.StatusOK, "shown", d.Shown.Title, struct {
			*shown
			Back string
		}{d.Shown, d.Back})
	default:
		http.Redirect(w, r, d.Back, http.StatusSeeOther)
	}
}

// statusOf tells what the asker can correct from what he cannot.
func statusOf(err error) int {
	switch {
	case errors.Is(err, auth.ErrBusy):
		return http.StatusServiceUnavailable
	case errors.Is(err, auth.ErrNone), errors.Is(err, change.ErrNone), errors.Is(err, inventory.ErrNone), errors.Is(err, feed.ErrNone), errors.Is(err, cycle.ErrNone), errors.Is(err, report.ErrNone), errors.Is(err, out.ErrNone):
		return http.StatusNotFound
	case errors.Is(err, auth.ErrTaken), errors.Is(err, auth.ErrLast), errors.Is(err, auth.ErrMany),
		errors.Is(err, change.ErrState), errors.Is(err, change.ErrOutdated), errors.Is(err, change.ErrPlan), errors.Is(err, change.ErrTwice),
		errors.Is(err, change.ErrNoDraft), errors.Is(err, keeper.ErrBase), errors.Is(err, keeper.ErrCannot), errors.Is(err, keeper.ErrNone):
		return http.StatusConflict
	case errors.Is(err, change.ErrOwn), errors.Is(err, change.ErrGiven):
		return http.StatusForbidden
	}
	var refusal *update.Refusal
	if errors.As(err, &refusal) {
		return http.StatusUnprocessableEntity
	}
	for _, known := range []error{errInput, certs.ErrInput, auth.ErrName, auth.ErrKey, auth.ErrPassword, auth.ErrFactor, auth.ErrLife, auth.ErrRefused, auth.ErrClock, change.ErrInput, inventory.ErrInput, feed.ErrInput, cycle.ErrInput, report.ErrInput, out.ErrInput, keeper.ErrFault, keeper.ErrApply, keeper.ErrImport, keeper.ErrCannot, keeper.ErrImport} {
		if errors.Is(err, known) {
			return http.StatusUnprocessableEntity
		}
	}
	return http.StatusInternalServerError
}

// input reads a form, or a JSON object of plain values.
func (s *Site) input(w http.ResponseWriter, r *http.Request, v visit) (url.Values, bool) {
	if v.form == page {
		in, err := readForm(r)
		if err != nil {
			s.fail(w, r, v, http.StatusBadRequest, "Refused", "The form cannot be read, or is too large.", "Go back and send it again.")
			return nil, false
		}
		return in, true
	}
	var body map[string]any
	if !s.readJSON(w, r, &body) {
		return nil, false
	}
	in := url.Values{}
	for k, v := range body {
		switch v := v.(type) {
		case string:
			in.Set(k, v)
		case bool, float64:
			in.Set(k, fmt.Sprint(v))
		case []any:
			for _, one := range v {
				in.Add(k, fmt.Sprint(one))
			}
		default:
			writeError(w, http.StatusBadRequest, "the value of "+fmt.Sprintf("%.40q", k)+" must be text, a number, true, false, or a list of those")
			return nil, false
		}
	}
	return in, true
}

// readForm reads a form; a file in it becomes the value "text".
func readForm(r *http.Request) (url.Values, error) {
	err := r.ParseMultipartForm(inventory.MaxUpload) // in memory, all that guard lets through
	if errors.Is(err, http.ErrNotMultipart) {
		return r.PostForm, nil
	}
	if err != nil {
		return nil, err
	}
	for _, f := range r.MultipartForm.File["file"] {
		file, err := f.Open()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(file)
		file.Close()
		if err != nil {
			return nil, err
		}
		r.PostForm.Set("text", string(text))
	}
	return r.PostForm, nil
}

// readJSON reads the body or answers with what is wrong with it. To insist on
// the content type also keeps out what a foreign page's form can send.
func (s *Site) readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		writeError(w, http.StatusUnsupportedMediaType, "send the body as JSON with Content-Type: application/json")
		return false
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more == io.EOF {
			return true
		}
	}
	writeError(w, http.StatusBadRequest, "the body is not the JSON object that this address takes; see docs/management.md")
	return false
}

// audit keeps what somebody did.
func (s *Site) audit(r *http.Request, v visit, action, object, detail, outcome string) {
	e := audit.Entry{Who: v.who, From: from(r).String(), Action: action, Object: object, Detail: detail, Outcome: outcome}
	if v.role != 0 {
		e.Role = v.role.String()
	}
	s.Audit.Add(e)
}
