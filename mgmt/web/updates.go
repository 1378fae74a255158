package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"wirepatch/board/state"
	"wirepatch/firmware/slot"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/visible"
)

// updatesView is the page of firmware and definitions.
type updatesView struct {
	Problem string // the update program does not answer
	Status  *update.Status
	Busy    bool
	Done    gauge
	Slots   []slotRow
	Offer   string // version of the firmware that is offered
	Planned moment
	Source  string
	Every   string
	Install string
	Window  string
	Looked  moment
	Next    moment
	History []pastRow
}

type slotRow struct {
	state.Slot
	Class string
	Tries string
	Start bool // it may be started
}

type pastRow struct {
	Time             moment
	What, Code, Text string
	Class            string
}

func (s *Site) updatesPage(w http.ResponseWriter, r *http.Request, v visit) {
	view := updatesView{}
	if b := s.Wire.State().Box; b != nil {
		view.Slots = slotRows(b.Slots)
	}
	if set, err := s.readSettings(); err == nil {
		f := set.Firmware
		view.Source, view.Every, view.Install = visible.Line(withoutSecrets(f.Repository)), span(f.Every), f.Install
		view.Window = fmt.Sprintf("%s to %s UTC", clock(f.Window.From), clock(f.Window.To))
	}
	st, err := s.Update.Status(r.Context())
	if err != nil {
		view.Problem = visible.Line(err.Error())
	} else {
		view.fill(st)
	}
	if view.Busy {
		w.Header().Set("Refresh", "2") // how far it is
	}
	s.show(w, v, http.StatusOK, "updates", "Updates", view)
}

func (v *updatesView) fill(st *update.Status) {
	v.Status, v.Busy = st, st.State != update.Idle
	if v.Busy && st.Bytes > 0 {
		v.Done = share("Progress", uint64(max(st.Done, 0)), uint64(st.Bytes))
	}
	if st.Offer != nil && st.Offer.Firmware != nil {
		v.Offer = visible.Line(st.Offer.Firmware.Version)
	}
	v.Planned, v.Looked, v.Next = at(st.Planned), at(st.LastCheck), at(st.NextCheck)
	for _, p := range st.History {
		row := pastRow{at(p.Time), visible.Line(p.What), visible.Line(p.Code), visible.Line(withoutSecrets(p.Text)), "good"}
		if p.Code != "" {
			row.Class = "bad"
		}
		v.History = append(v.History, row)
	}
}

// slotRows says of each slot what can be done with it.
func slotRows(slots []state.Slot) (all []slotRow) {
	running := ""
	for _, s := range slots {
		if s.Running {
			running = s.Version
		}
	}
	class := map[string]string{"confirmed": "good", "given up": "bad"}
	for _, s := range slots {
		row := slotRow{Slot: s, Class: class[s.State], Tries: "not counted"}
		if s.State != "confirmed" {
			row.Tries = fmt.Sprintf("%d left", s.Left)
		}
		row.Start = !s.Running && running != "" && (s.State == "confirmed" || slot.Compare(s.Version, running) > 0)
		all = append(all, row)
	}
	return all
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// UpdatesInfo is the answer to GET /api/v1/updates.
type UpdatesInfo struct {
	Status *update.Status `json:"status"`
	Slots  []state.Slot   `json:"slots"`
}

func (s *Site) apiUpdates(w http.ResponseWriter, r *http.Request, _ visit) {
	st, err := s.Update.Status(r.Context())
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	out := UpdatesInfo{Status: st, Slots: []state.Slot{}}
	if b := s.Wire.State().Box; b != nil && b.Slots != nil {
		out.Slots = b.Slots
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Site) checkUpdates(r *http.Request, _ visit, _ url.Values) (done, error) {
	_, err := s.Update.Check(r.Context())
	return done{}, err
}

// installUpdate puts the offered firmware in: now, in the window, or not.
func (s *Site) installUpdate(r *http.Request, _ visit, in url.Values) (d done, err error) {
	d.Detail = in.Get("when")
	switch d.Detail {
	case "now":
		// Who asks may go away; the download takes its time.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), uploadTime)
		go func() {
			defer cancel()
			if _, err := s.Update.Install(ctx); err != nil {
				s.Log.Warn("update", "cause", err)
			}
		}()
	case "window", "never":
		_, err = s.Update.Plan(r.Context(), d.Detail == "window")
	default:
		err = faulty("when is now, window or never")
	}
	return d, err
}

func (s *Site) startSlot(r *http.Request, v visit, in url.Values) (done, error) {
	d := done{Object: in.Get("version")}
	if !slot.Valid(d.Object) {
		return d, faulty("there is no firmware of this version")
	}
	if in.Get("sure") != "yes" {
		return d, faulty("say that you are sure: the wire is down until the box is back, unless it has a bypass")
	}
	d.Shown = &shown{Title: "The box restarts", Text: "It starts firmware " + d.Object + ". It is back in about a minute."}
	if err := s.Command.ChooseSlot(r.Context(), d.Object, v.who+" on the page"); err != nil {
		return d, fmt.Errorf("%w: %w", errInput, err)
	}
	return d, nil
}

// uploadTime is how long an update file may take to arrive and be put in.
const uploadTime = 30 * time.Minute

// upload takes an update file as it arrives: it never lies in this program's
// memory. The form's token comes before the file.
func (s *Site) upload(w http.ResponseWriter, r *http.Request, v visit) {
	control := http.NewResponseController(w)
	// Where the deadlines cannot be moved the usual ones hold.
	_ = errors.Join(control.SetReadDeadline(time.Now().Add(uploadTime)), control.SetWriteDeadline(time.Now().Add(uploadTime)))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), uploadTime)
	defer cancel()
	file, name, restart, size, err := s.uploaded(r, v)
	if errors.Is(err, errForm) {
		s.fail(w, r, v, http.StatusForbidden, "Refused", "This form was not from this page or is out of date.", "Open the page again and send it once more.")
		return
	}
	if errors.Is(err, errType) {
		writeError(w, http.StatusUnsupportedMediaType, err.Error())
		return
	}
	d := done{Object: visible.Line(name), Back: "/updates"}
	var st *update.Status
	if err == nil {
		if st, err = s.Update.Upload(ctx, file, size, restart); err == nil {
			d.Result = st
		}
	}
	outcome := outcomeDone
	if err != nil {
		outcome, d.Detail = outcomeFailed, err.Error()
	}
	s.audit(r, v, "update.upload", d.Object, d.Detail, outcome)
	s.answerAction(w, r, v, d, err)
}

var errType = errors.New("send the file as the body, with Content-Type: application/octet-stream")

// uploaded finds the file in a form, or takes the body of a program.
func (s *Site) uploaded(r *http.Request, v visit) (file io.Reader, name string, restart bool, size int64, err error) {
	if v.form == data {
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/octet-stream" {
			return nil, "", false, 0, errType
		}
		return r.Body, "file", r.URL.Query().Get("restart") == "yes", r.ContentLength, nil
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, "", false, 0, errForm
	}
	fits := false
	for {
		p, err := parts.NextPart()
		if err != nil {
			if !fits {
				return nil, "", false, 0, errForm
			}
			return nil, "", false, 0, faulty("choose a file")
		}
		if p.FormName() == "file" {
			if !fits {
				return nil, "", false, 0, errForm
			}
			return p, p.FileName(), restart, 0, nil
		}
		value, err := io.ReadAll(io.LimitReader(p, 1000))
		if err != nil {
			return nil, "", false, 0, errForm
		}
		switch p.FormName() {
		case "token":
			fits = v.session.CheckToken(string(value))
		case "restart":
			restart = string(value) == "yes"
		}
	}
}
