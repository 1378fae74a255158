package web

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/system"
	"wirepatch/mgmt/visible"
)

// systemView is the page of the box's health.
type systemView struct {
	Alerts   []alert
	Box      boxView
	Sensors  []sensorRow
	Ports    []portFacts
	Log      []string
	Problem  string
	Services int
	Load     chart
}

type sensorRow struct {
	Name, Celsius, Class string
}

// portFacts is what driver and kernel tell of a port.
type portFacts struct {
	system.Port
	Rate string
}

// shownLog is how many lines of the log the page shows.
const shownLog = 300

func (s *Site) systemPage(w http.ResponseWriter, r *http.Request, v visit) {
	st := s.Wire.State()
	view := systemView{Alerts: append(append(boxAlerts(st), s.storeAlerts()...), s.certificateAlerts()...), Box: s.boxView(st), Load: drawLoad(s.System.Past())}
	if st.Dataplane.Status != nil {
		view.Services = len(st.Dataplane.Status.Services)
	}
	for _, t := range system.Sensors() {
		row := sensorRow{visible.Line(t.Name), fmt.Sprintf("%.0f °C", t.Celsius), "good"}
		if t.Critical > 0 && t.Celsius > t.Critical-10 {
			row.Class = "bad"
		}
		view.Sensors = append(view.Sensors, row)
	}
	ports, err := system.Ports(system.PortNames...)
	if err != nil {
		view.Problem = visible.Line(err.Error())
	}
	for _, p := range ports {
		f := portFacts{p, "speed unknown"}
		if p.SpeedMbit > 0 {
			f.Rate = fmt.Sprintf("%d Mbit/s %s", p.SpeedMbit, p.Duplex)
		}
		view.Ports = append(view.Ports, f)
	}
	lines, err := s.Command.Log(r.Context(), shownLog)
	if err != nil {
		view.Problem = visible.Line(err.Error())
	}
	for i := len(lines) - 1; i >= 0; i-- {
		view.Log = append(view.Log, visible.Line(withoutSecrets(lines[i])))
	}
	s.show(w, v, http.StatusOK, "system", "System", view)
}

// SystemInfo is the answer to GET /api/v1/system.
type SystemInfo struct {
	Figures system.Figures  `json:"figures"`
	Past    []system.Minute `json:"past"` // oldest first
	Sensors []system.Sensor `json:"sensors"`
	Ports   []system.Port   `json:"ports"`
	Box     *state.Box      `json:"box"`
}

func (s *Site) systemInfo() SystemInfo {
	ports, err := system.Ports(system.PortNames...)
	if err != nil {
		ports = []system.Port{}
	}
	return SystemInfo{s.System.Figures(), s.System.Past(), system.Sensors(), ports, s.Wire.State().Box}
}

func (s *Site) apiSystem(w http.ResponseWriter, _ *http.Request, _ visit) {
	writeJSON(w, http.StatusOK, s.systemInfo())
}

// LogInfo is the answer to GET /api/v1/log.
type LogInfo struct {
	Lines []string `json:"lines"`
}

func (s *Site) apiLog(w http.ResponseWriter, r *http.Request, _ visit) {
	n, err := number(r, "lines", shownLog)
	if err != nil {
		writeError(w, http.StatusBadRequest, "lines must be a whole number, as /api/v1/log?lines=100")
		return
	}
	lines, err := s.Command.Log(r.Context(), int(min(n, 1000)))
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	out := LogInfo{[]string{}}
	for _, l := range lines {
		out.Lines = append(out.Lines, withoutSecrets(l))
	}
	writeJSON(w, http.StatusOK, out)
}

// rehearseEvery is how soon inspection may be stopped again: one after the other,
// rehearsals would switch it off, without the approvals that a bypass may need.
const rehearseEvery = 5 * time.Minute

// mayRehearse says how long to wait for the next rehearsal; 0: it is taken.
func (s *Site) mayRehearse() time.Duration {
	s.rehearsing.Lock()
	defer s.rehearsing.Unlock()
	now := s.Now()
	if wait := rehearseEvery - now.Sub(s.rehearsed); !s.rehearsed.IsZero() && wait > 0 {
		return wait
	}
	s.rehearsed = now
	return 0
}

// rehearse has the dataplane show what would happen if it died now.
func (s *Site) rehearse(r *http.Request, _ visit, in url.Values) (done, error) {
	if in.Get("sure") != "yes" {
		return done{}, faulty("say that you are sure: inspection stops for a second, and services follow their fail policy")
	}
	if wait := s.mayRehearse(); wait > 0 {
		return done{}, fmt.Errorf("%w: there was a rehearsal just now; wait %s for the next", change.ErrState, span(wait))
	}
	c := control.Dial(s.Control)
	defer c.Close()
	res, err := c.Rehearse(r.Context(), time.Second)
	if err != nil {
		return done{}, err
	}
	d := done{Result: res, Detail: fmt.Sprintf("%d packets passed uninspected, %d held back", res.Bypassed, res.Dropped)}
	d.Shown = &shown{Title: "Rehearsal", Text: fmt.Sprintf("Inspection stopped for %d ms; the wire noticed after %d ms. Meanwhile %s packets of protected services passed uninspected, and %s were held back. Inspection goes on.",
		res.StoppedMS, res.NoticedMS, count(res.Bypassed), count(res.Dropped))}
	for _, v := range res.Services {
		d.Shown.Lines = append(d.Shown.Lines, fmt.Sprintf("%s: fail %s, %s passed, %s held back", visible.Line(v.Name), visible.Line(v.Fail), count(v.Passed), count(v.Dropped)))
	}
	return d, nil
}

func (s *Site) blinkPort(r *http.Request, _ visit, in url.Values) (done, error) {
	name := in.Get("port")
	for _, n := range system.PortNames {
		if n == name {
			return done{Object: name}, s.Command.Blink(r.Context(), name)
		}
	}
	return done{}, faulty("the ports are wire-a, wire-b and mgmt")
}

func (s *Site) restartBox(r *http.Request, v visit, in url.Values) (done, error) {
	if in.Get("sure") != "yes" {
		return done{}, faulty("say that you are sure: the wire is down until the box is back, unless it has a bypass")
	}
	return done{Shown: &shown{Title: "The box restarts", Text: "It is back in about a minute. Sessions of this page have ended then."}}, s.Command.Restart(r.Context(), v.who+" on the page")
}
