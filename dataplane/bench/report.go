package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// row is a line of the table: a measurement across one way.
type row struct {
	measurement
	way            string
	middle         float64
	low, high      float64
	p99, processor time.Duration
}

func (l *lab) rows() []row {
	var out []row
	for _, m := range l.chosen {
		for _, w := range m.ways {
			v := l.samples.values(m.name, w)
			r := row{measurement: m, way: w, middle: median(v), low: slices.Min(v), high: slices.Max(v)}
			var p99, cpu []float64
			for _, s := range l.samples[m.name][w] {
				p99, cpu = append(p99, float64(s.p99)), append(cpu, float64(s.perUnit))
			}
			r.p99, r.processor = time.Duration(median(p99)), time.Duration(median(cpu))
			out = append(out, r)
		}
	}
	return out
}

// report prints the table and writes the files that were asked for.
func (l *lab) report(figures []figure) error {
	rows := l.rows()
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "measurement\tacross\tmedian\tfrom\tto\tunit\tp99 µs\tdataplane µs each")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.name, r.way, digits(r.middle), digits(r.low), digits(r.high), r.unit,
			micros(r.p99), micros(r.each()))
	}
	fmt.Fprintln(t, "\t")
	for _, f := range figures {
		fmt.Fprintf(t, "%s\t%s\n", f.name, f.text())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if l.json != "" {
		if err := writeJSON(l.json, figures); err != nil {
			return err
		}
	}
	if l.docs != "" {
		return l.writeDocs(l.docs, rows, figures)
	}
	return nil
}

// each is the dataplane's processor time for one request; none for streams.
func (r row) each() time.Duration {
	if r.order.Bytes > 0 {
		return 0
	}
	return r.processor
}

func (f figure) text() string {
	if f.Ratio != nil {
		return fmt.Sprintf("%.2f", *f.Ratio)
	}
	return digits(*f.Value)
}

// digits shows three significant digits.
func digits(v float64) string {
	switch {
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func micros(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return digits(float64(d) / 1e3)
}

func writeJSON(path string, figures []figure) error {
	all := map[string]figure{}
	for _, f := range figures {
		all[f.name] = f
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
