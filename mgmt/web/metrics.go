package web

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"wirepatch/dataplane/control"
	"wirepatch/firmware/release"
	"wirepatch/mgmt/change"
)

// metric is a figure of the box for Prometheus. Labels are bounded: definitions,
// services, ports, never addresses or users.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newMetric(kind prometheus.ValueType, name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("wirepatch_"+name, help, labels, nil), kind}
}

var (
	mBuild       = newMetric(prometheus.GaugeValue, "build_info", "Version of the firmware.", "version")
	mEngineUp    = newMetric(prometheus.GaugeValue, "engine_up", "1 while the dataplane answers.")
	mPortUp      = newMetric(prometheus.GaugeValue, "port_up", "1 while the wire port has link.", "port")
	mPortBytes   = newMetric(prometheus.CounterValue, "port_receive_bytes_total", "Bytes received on the wire port.", "port")
	mPackets     = newMetric(prometheus.CounterValue, "packets_total", "Packets by the way that they took: in the kernel, through the engine, dropped.", "port", "path")
	mBypassed    = newMetric(prometheus.CounterValue, "bypassed_packets_total", "Packets of fail-open services that passed without an engine.", "port")
	mSessions    = newMetric(prometheus.GaugeValue, "sessions", "Open sessions of the protected service.", "service")
	mOutcomes    = newMetric(prometheus.CounterValue, "sessions_total", "Sessions of this engine, by what became of them; all counts every one.", "outcome")
	mHeld        = newMetric(prometheus.GaugeValue, "held_bytes", "Bytes that wait for a decision.")
	mEngine      = newMetric(prometheus.GaugeValue, "engine_sessions", "Sessions that the engine follows itself, and how many there is memory for.", "what")
	mCorrections = newMetric(prometheus.CounterValue, "corrections_total", "Corrections of all time.", "definition", "service", "mode", "action")
	mDefinitions = newMetric(prometheus.GaugeValue, "definitions", "Inline patches by mode.", "mode")
	mExposures   = newMetric(prometheus.GaugeValue, "exposures", "Known vulnerabilities on known servers, by state.", "state")
	mChanges     = newMetric(prometheus.GaugeValue, "changes_open", "Changes that wait for approval or their window.", "state")
	mAudit       = newMetric(prometheus.CounterValue, "audit_records_total", "Records in the audit log.")
	mKept        = newMetric(prometheus.GaugeValue, "events_kept", "Events in the store.")
	mLost        = newMetric(prometheus.CounterValue, "events_lost_total", "Events that could not be written since start.")
	mQueue       = newMetric(prometheus.GaugeValue, "export_queue_events", "Records that have not gone out.", "output")
	mDropped     = newMetric(prometheus.CounterValue, "export_dropped_total", "Records given up before they could go out.", "output")
	mRestarts    = newMetric(prometheus.CounterValue, "restarts_total", "Times that init started the program again.", "program")
)

// collector asks the box at each scrape.
type collector struct{ s *Site }

// Describe says nothing: which figures there are depends on the box.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect gathers all figures.
func (c collector) Collect(to chan<- prometheus.Metric) {
	put := func(m metric, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
	}
	put(mBuild, 1, release.Version)
	d := c.s.Wire.State().Dataplane
	put(mEngineUp, flag(d.Answers))
	if d.Status != nil {
		collectWire(d.Status, put)
	}
	c.collectStores(put)
	if b := c.s.Wire.State().Box; b != nil {
		for _, p := range b.Processes {
			put(mRestarts, float64(p.Restarts), p.Name)
		}
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func collectWire(s *control.Status, put func(metric, float64, ...string)) {
	for _, p := range s.Ports {
		put(mPortUp, flag(p.Up), p.Name)
		put(mPortBytes, float64(p.RxBytes), p.Name)
		put(mPackets, float64(p.Forwarded), p.Name, "kernel")
		put(mPackets, float64(p.HandedUp), p.Name, "engine")
		put(mPackets, float64(p.Dropped), p.Name, "dropped")
		put(mBypassed, float64(p.Bypassed), p.Name)
	}
	for _, v := range s.Services {
		put(mSessions, float64(v.Sessions), v.Name)
	}
	n := s.Sessions
	for _, o := range []struct {
		name string
		n    uint64
	}{{"all", n.Total}, {"edited", n.Edited}, {"passed", n.Passed}, {"picked_up", n.PickedUp}, {"reset", n.Reset}, {"lost", n.Lost}, {"aside", n.Aside}, {"crowded", n.Crowded}} {
		put(mOutcomes, float64(o.n), o.name)
	}
	put(mHeld, float64(n.HeldBytes))
	put(mEngine, float64(n.Engine), "now")
	put(mEngine, float64(n.EngineRoom), "room")
	modes := map[string]int{"off": 0, "shadow": 0, "correct": 0, "set_aside": 0}
	for _, d := range s.Definitions {
		if d.Error != "" {
			modes["set_aside"]++
		} else if _, known := modes[d.Mode]; known {
			modes[d.Mode]++
		}
	}
	for mode, n := range modes {
		put(mDefinitions, float64(n), mode)
	}
}

func (c collector) collectStores(put func(metric, float64, ...string)) {
	s := c.s
	for _, t := range s.allTallies(context.Background()) {
		put(mCorrections, float64(t.Count), t.Definition, t.Service, t.Mode, t.Action)
	}
	states := map[string]int{}
	for _, st := range exposureOrder {
		states[string(st)] = 0
	}
	if now, err := s.Exposures.View(); err == nil {
		list := now.Exposures
		for _, e := range list {
			states[string(e.State)]++
		}
	}
	for state, n := range states {
		put(mExposures, float64(n), state)
	}
	open := map[change.State]int{change.Submitted: 0, change.Approved: 0}
	if list, err := s.Changes.Open(); err == nil {
		for _, c := range list {
			open[c.State]++
		}
	}
	for state, n := range open {
		put(mChanges, float64(n), string(state))
	}
	if head, err := s.Audit.Head(); err == nil {
		put(mAudit, float64(head.Seq))
	}
	h := s.Events.Health()
	put(mKept, float64(h.Records))
	put(mLost, float64(h.Lost))
	for _, o := range s.Outputs.Status() {
		put(mQueue, float64(o.Waiting), o.Name)
		put(mDropped, float64(o.Lost), o.Name)
	}
}

// metrics answers a scrape.
func (s *Site) metrics() handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{s})
	h := promhttp.HandlerFor(r, promhttp.HandlerOpts{DisableCompression: true, MaxRequestsInFlight: 2})
	return func(w http.ResponseWriter, r *http.Request, _ visit) { h.ServeHTTP(w, r) }
}
