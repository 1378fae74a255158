package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"
)

// progress tells what is being done, with the time since the user's command.
type progress struct {
	started time.Time
	run     string // "first" (nothing was built before) or "later"; "" if unknown
	first   time.Duration
	colour  bool
}

// begin takes over the time from the Makefile, which hands over when make was
// called and whether anything had been built then.
func (p *progress) begin() {
	p.started = time.Now()
	if s, err := strconv.ParseInt(os.Getenv("WIREPATCH_STARTED"), 10, 64); err == nil {
		p.started = time.Unix(s, 0)
	}
	p.run = os.Getenv("WIREPATCH_RUN")
	p.colour = term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
}

func (p *progress) say(phase, format string, a ...any) {
	fmt.Printf("[%6.1f s] %-6s %s\n", time.Since(p.started).Seconds(), phase, fmt.Sprintf(format, a...))
}

func (p *progress) red(s string) string {
	if !p.colour {
		return s
	}
	return "\x1b[31m" + s + "\x1b[0m"
}

func (p *progress) firstCorrection() { p.first = time.Since(p.started) }

// tellFirst says how long the user waited for the first correction.
func (p *progress) tellFirst() {
	what := ""
	switch p.run {
	case "first":
		what = ", a first run: nothing was built before"
	case "later":
		what = ", a later run: the image was built before"
	}
	fmt.Printf("\nTime from the command to the first correction: %.0f s%s\n", p.first.Seconds(), what)
}
