package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"wirepatch/dataplane/bench/load"
	"wirepatch/dataplane/internal/build"
	"wirepatch/dataplane/internal/netns"
)

// way is one way across, with a bed of its own. All beds stand side by side and
// one at a time is under load, so that nothing is set up between two
// measurements that are compared.
type way struct {
	name   string
	client *agent
	engine *engine // nil: the bridge
}

// The ways across. The number is that of definitions.
const (
	viaBridge = "bridge"
	via100    = "wire"
	viaOurs   = "wire, the product's definitions"
	via10     = "wire, 10 definitions"
	via1000   = "wire, 1,000 definitions"
	via10000  = "wire, 10,000 definitions"
	via1k     = "wire, 1,000 sessions"
	via100k   = "wire, 100,000 sessions"
	via1m     = "wire, 1,000,000 sessions"
)

// measurement is a load that is taken across several ways.
type measurement struct {
	name  string
	what  string // for people
	unit  string
	ways  []string
	order load.Order
	value func(load.Result) float64
	// beside is done while the load runs, across the wire; nil: nothing.
	beside func(context.Context, *engine) error
}

// crowdSize is how many connections requests come over.
const crowdSize = 32

func perSecond(r load.Result) float64 { return float64(r.Count) / r.Elapsed.Seconds() }
func gigabits(r load.Result) float64  { return float64(r.Bytes) * 8e-9 / r.Elapsed.Seconds() }
func median50(r load.Result) float64  { return float64(r.P50) / 1e3 }
func longest(r load.Result) float64   { return float64(r.Longest) / 1e6 }

func reload(ctx context.Context, e *engine) error { return e.control.Reload(ctx) }

// measurements are all that is measured in rounds.
var measurements = func() []measurement {
	both, ours := []string{viaBridge, via100}, []string{viaBridge, viaOurs}
	numbers, crowds := []string{via10, via100, via1000, via10000}, []string{via100, via1k, via100k, via1m}
	const endless, bulk = 1 << 40, 100 << 20 // bytes
	order := func(kind string, port, connections int, bytes int64, marked bool) load.Order {
		return load.Order{Kind: kind, Address: netns.Server4, Port: port, Connections: connections, Bytes: bytes, Marked: marked}
	}
	return []measurement{
		{"unprotected.stream1", "one stream", "Gbit/s", both, order(load.Stream, load.PlainPort, 1, endless, false), gigabits, nil},
		{"unprotected.stream8", "eight streams", "Gbit/s", both, order(load.Stream, load.PlainPort, 8, endless, false), gigabits, nil},
		{"unprotected.rtt", "64-byte round trip", "µs", both, order(load.PingPong, load.EchoPort, 1, 0, false), median50, nil},
		{"unprotected.conn", "new connections", "1/s", both, order(load.Connects, load.PlainPort, crowdSize, 0, false), perSecond, nil},
		{"unprotected.packets", "64-byte datagrams, one way", "1/s", both, order(load.Packets, load.SinkPort, 1, 0, false), perSecond, nil},
		{"inspected.bulk1", "100 MB responses, one stream", "Gbit/s", both, order(load.Stream, load.HTTPPort, 1, bulk, false), gigabits, nil},
		{"inspected.bulk8", "100 MB responses, eight streams", "Gbit/s", both, order(load.Stream, load.HTTPPort, 8, bulk, false), gigabits, nil},
		{"inspected.keepalive", "requests, keep-alive", "1/s", both, order(load.Requests, load.HTTPPort, crowdSize, 0, false), perSecond, nil},
		{"inspected.keepalive_ours", "requests, keep-alive, the product's definitions", "1/s", ours, order(load.Requests, load.HTTPPort, crowdSize, 0, false), perSecond, nil},
		{"inspected.conn", "new connections, a request on each", "1/s", both, order(load.Connects, load.HTTPPort, crowdSize, 0, false), perSecond, nil},
		{"inspected.rtt", "64-byte exchange", "µs", both, order(load.Exchange, load.HTTPPort, 1, 0, false), median50, nil},
		{"edited.keepalive", "requests, keep-alive, each one changed", "1/s", both, order(load.Requests, load.HTTPPort, crowdSize, 0, true), perSecond, nil},
		{"inspected.keepalive_nginx", "requests to nginx, keep-alive", "1/s", both, order(load.Requests, load.NginxPort, crowdSize, 0, false), perSecond, nil},
		{"inspected.conn_nginx", "new connections to nginx", "1/s", both, order(load.Connects, load.NginxPort, crowdSize, 0, false), perSecond, nil},
		{"update", "longest wait of a session that is changed at each request, while definitions are loaded anew", "ms", both, order(load.Requests, load.HTTPPort, 1, 0, true), longest, reload},
		{"definitions", "requests, keep-alive", "1/s", numbers, order(load.Requests, load.HTTPPort, crowdSize, 0, false), perSecond, nil},
		{"sessions", "requests, keep-alive, beside sessions that rest", "1/s", crowds, order(load.Requests, load.HTTPPort, crowdSize, 0, false), perSecond, nil},
	}
}()

// sample is one measurement across one way in one round.
type sample struct {
	value   float64
	p99     time.Duration
	perUnit time.Duration // processor time of the dataplane for each of Count
}

// samples holds what was measured: by measurement, then by way, one for each
// round.
type samples map[string]map[string][]sample

// lab is the ways across, and what is to be measured.
type lab struct {
	options
	ctx     context.Context
	ways    map[string]*way
	chosen  []measurement
	samples samples
	busy    string // what else the machine did, for people
	log     io.Writer

	perSession *float64 // memory of a session that rests, in bytes; nil: not measured
}

// newLab sets up the ways that the chosen measurements need.
func newLab(h *host, o options, log io.Writer) (*lab, error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, err
	}
	l := &lab{options: o, ctx: h.Ctx, ways: map[string]*way{}, samples: samples{}, log: log}
	if l.busy, err = otherWork(); err != nil {
		return nil, err
	}
	nginx := hasNginx()
	if !nginx {
		fmt.Fprintln(log, "nginx is not installed: what needs it is left out")
	}
	needed := map[string]bool{via100: o.idle > 0}
	for _, m := range measurements {
		if only.MatchString(m.name) && (nginx || m.order.Port != load.NginxPort) {
			l.chosen = append(l.chosen, m)
			for _, w := range m.ways {
				needed[w] = true
			}
		}
	}
	program, err := build.Dataplane(h.Ctx, h.TempDir())
	if err != nil {
		return nil, err
	}
	for _, w := range []struct {
		name                  string
		definitions, sessions int
	}{{viaBridge, 0, 0}, {via100, 100, 0}, {viaOurs, ourDefinitions, 0}, {via10, 10, 0}, {via1000, 1000, 0}, {via10000, 10_000, 0},
		{via1k, 100, 1000}, {via100k, 100, 100_000}, {via1m, 100, 1_000_000}} {
		if !needed[w.name] {
			continue
		}
		began := time.Now()
		bed, client := h.newBed()
		bed.AttachBy(h, o.attach)
		if nginx {
			h.startNginx(bed.Server)
		}
		l.ways[w.name] = &way{name: w.name, client: client}
		if w.name == viaBridge {
			bed.Box.Must(h, bridge)
		} else {
			e := h.startEngine(bed, program, w.definitions)
			l.ways[w.name].engine = e
			before, err := memoryOf(e.pid)
			if err != nil {
				return nil, err
			}
			h.rest(bed, e, w.sessions)
			after, err := memoryOf(e.pid)
			if err != nil {
				return nil, err
			}
			if w.name == via1m { // of fewer what else the process needs would count
				l.perSession = number(float64(after-before) / float64(w.sessions))
			}
		}
		fmt.Fprintf(log, "%s set up in %.1f s\n", w.name, time.Since(began).Seconds())
	}
	return l, nil
}

// compared are the two ways whose difference or ratio is a figure.
func (m measurement) compared() [2]string {
	switch m.name {
	case "definitions":
		return [2]string{via10, via10000}
	case "sessions":
		return [2]string{via1k, via1m}
	}
	return [2]string{m.ways[1], viaBridge}
}

// turns are ways in the order in which a round takes them. The two that are
// compared follow each other directly, by turns the one or the other first.
func turns(ways []string, compared [2]string, round int) []string {
	out := slices.Clone(compared[:])
	for _, w := range ways {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	if round%2 == 1 {
		slices.Reverse(out)
	}
	return out
}

// rounds takes every chosen measurement once a round, across its ways in turns.
func (l *lab) rounds() error {
	for round := range l.options.rounds {
		fmt.Fprintf(l.log, "round %d of %d\n", round+1, l.options.rounds)
		for _, m := range l.chosen {
			for _, name := range turns(m.ways, m.compared(), round) {
				w := l.ways[name]
				s, err := l.take(m, w)
				if err != nil {
					return fmt.Errorf("%s across %s: %w", m.name, w.name, err)
				}
				if l.samples[m.name] == nil {
					l.samples[m.name] = map[string][]sample{}
				}
				l.samples[m.name][w.name] = append(l.samples[m.name][w.name], s)
			}
		}
	}
	return nil
}

func (l *lab) take(m measurement, w *way) (sample, error) {
	if err := l.ctx.Err(); err != nil {
		return sample{}, err
	}
	var before, after time.Duration
	var err error
	if w.engine != nil {
		if before, err = cpuTime(w.engine.pid); err != nil {
			return sample{}, err
		}
	}
	m.order.Duration = l.duration
	end := m.begin(l.ctx, w)
	r, err := w.client.do(m.order)
	if err := errors.Join(err, end()); err != nil {
		return sample{}, err
	}
	s := sample{value: m.value(r), p99: r.P99}
	if w.engine != nil {
		if after, err = cpuTime(w.engine.pid); err != nil {
			return sample{}, err
		}
		s.perUnit = (after - before) / time.Duration(max(r.Count, 1))
	}
	return s, m.check(r, w)
}

// begin begins what is to be done beside the load, whose end the function that it
// returns waits for.
func (m measurement) begin(ctx context.Context, w *way) (end func() error) {
	if m.beside == nil || w.engine == nil {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() { done <- m.beside(ctx, w.engine) }()
	return func() error { return <-done }
}

// check says whether the wire has done its work: each marked request must have
// lost its mark, and only across the wire.
func (m measurement) check(r load.Result, w *way) error {
	if r.Count+r.Bytes == 0 {
		return fmt.Errorf("nothing was completed")
	}
	if !m.order.Marked || w.engine == nil && r.Kept > 0 || w.engine != nil && r.Kept == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d requests arrived unchanged", r.Kept, r.Count)
}
