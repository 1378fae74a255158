package journal

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain\n":                 "plain",
		"\x1b[2Jgone\x07":         "?[2Jgone?",
		"two\nlines\tand a tab":   "two?lines and a tab",
		"grün \u202e\u0085 \xff!": "grün ?? \ufffd!",
		strings.Repeat("x", 1000): strings.Repeat("x", maxLine) + "...",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestTidy(t *testing.T) {
	for in, want := range map[string]string{
		`time=2026-11-22T03:04:33.609Z level=INFO msg="definitions loaded" n=1`: "definitions loaded n=1",
		`time=2026-11-22T03:04:33.609Z level=WARN msg=late by=2s`:               "WARN late by=2s",
		`time=1 level=INFO msg="he said \"x\""`:                                 `he said "x"`,
		"panic: something":                                                      "panic: something",
		`time=1 level=INFO msg="open`:                                           `"open`,
	} {
		if got := Tidy(in); got != want {
			t.Errorf("Tidy(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestEntriesAreBoundedAndNumbered(t *testing.T) {
	changes := 0
	j := Journal{Changed: func() { changes++ }}
	for i := range 3 * keepEntries {
		j.Logf("entry %d", i+1)
		j.Line("dataplane", "line")
	}
	e := j.Entries()
	if len(e) != keepEntries || e[0].ID != 2*keepEntries+1 || e[0].Text != fmt.Sprintf("entry %d", 2*keepEntries+1) {
		t.Errorf("Entries() = %d of them, first %+v; want the last %d with their own numbers", len(e), e[0], keepEntries)
	}
	if changes != 3*keepEntries {
		t.Errorf("Changed was called %d times; want %d", changes, 3*keepEntries)
	}
	if l := j.Lines(10_000); len(l) != keepLines || l[len(l)-1] != "dataplane: line" {
		t.Errorf("Lines = %d of them, last %q; want %d", len(l), l[len(l)-1], keepLines)
	}
}

func TestConsoles(t *testing.T) {
	r, w := io.Pipe()
	var j Journal
	j.SetConsoles(w)
	// Nobody reads: writing must not wait, and what is too much is counted.
	for i := range 2 * queued {
		j.Line("p", fmt.Sprint(i))
	}
	go func() {
		j.Flush(time.Minute)
		w.Close()
	}()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(all)), "\n")
	if lines[0] != "p: 0" || len(lines) < queued || len(lines) > queued+2 {
		t.Errorf("console got %d lines, first %q; want about %d from the first on", len(lines), lines[0], queued)
	}
}

func TestLostLinesAreCounted(t *testing.T) {
	s := &sink{lines: make(chan string, 3)}
	for i := range 6 {
		s.put(fmt.Sprint(i))
	}
	for range 3 {
		<-s.lines
	}
	s.put("after")
	if got := <-s.lines; !strings.Contains(got, "3 lines left out") {
		t.Errorf("after a gap the console got %q; want the number of lines left out", got)
	}
	if got := <-s.lines; got != "after" {
		t.Errorf("then it got %q; want the next line", got)
	}
}

func FuzzTidy(f *testing.F) {
	f.Add(`time=1 level=INFO msg="a\x1b" b=c`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := Clean(Tidy(s)); strings.ContainsAny(got, "\x1b\n\r\x00") {
			t.Errorf("Clean(Tidy(%q)) = %q; want no control characters", s, got)
		}
	})
}
