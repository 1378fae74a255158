package main

import (
	"bytes"
	_ "embed"
	"os"
	"path/filepath"
	"runtime"
	"text/template"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed performance.md.tmpl
var pageText string

var page = template.Must(template.New("performance.md").Funcs(template.FuncMap{
	"digits": digits, "micros": micros,
}).Parse(pageText))

// facts is what the page is made of.
type facts struct {
	Cores    int
	Kernel   string
	Go       string
	Date     string
	Rounds   int
	Duration time.Duration
	Crowd    int
	Idle     int
	Load     string
	Rows     []docRow
	Figures  []docFigure
}

type docRow struct{ Name, What, Across, Median, From, To, Unit, P99, Each string }

type docFigure struct{ Name, What, Got, Want string }

// writeDocs writes performance.md and its chart into a folder.
func (l *lab) writeDocs(folder string, rows []row, figures []figure) error {
	kernel, err := kernelVersion()
	if err != nil {
		return err
	}
	f := facts{Cores: runtime.NumCPU(), Kernel: kernel, Go: runtime.Version(), Date: time.Now().UTC().Format(time.DateOnly),
		Rounds: l.options.rounds, Duration: l.duration, Crowd: crowdSize, Idle: l.idle, Load: l.busy}
	for _, r := range rows {
		f.Rows = append(f.Rows, docRow{r.name, r.what, r.way, digits(r.middle), digits(r.low), digits(r.high), r.unit, micros(r.p99), micros(r.each())})
	}
	for _, g := range figures {
		goal := goals[g.name]
		f.Figures = append(f.Figures, docFigure{g.name, goal.what, g.text(), goal.text()})
	}
	var b bytes.Buffer
	if err := page.Execute(&b, f); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "performance.md"), b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "performance.svg"), chart(figures), 0o644)
}

// kernelVersion is the running kernel's, without what a distribution or a
// builder has put behind it.
func kernelVersion() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", err
	}
	release := unix.ByteSliceToString(u.Release[:])
	for i, c := range release {
		if (c < '0' || c > '9') && c != '.' {
			return release[:i], nil
		}
	}
	return release, nil
}
