package demo

import (
	"fmt"
	"io"
	"strings"
)

// Printer shows the demonstration to people; a nil one shows nothing.
type Printer struct {
	W      io.Writer
	Colour bool
}

const (
	plain = "0"
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
)

func (p *Printer) paint(code, text string) string {
	if !p.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *Printer) title(n int, s *step) {
	note := ""
	if s.flaw != "" {
		note = "  " + p.paint(faint, s.flaw+", corrected by "+s.definition)
	}
	fmt.Fprintf(p.W, "\n %s%s\n", p.paint(bold, fmt.Sprintf("%d  %s", n, s.title)), note)
}

// line prints one labelled value; further lines of it are put beneath.
func (p *Printer) line(label, colour, text string) {
	lines := strings.Split(printable(text), "\n")
	for i, l := range lines {
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(p.W, "    %-19s %s\n", label, p.paint(colour, l))
	}
}

// printable makes text from the wire harmless to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffd) {
			return '.'
		}
		return r
	}, s)
}

func (p *Printer) step(n int, r *result) {
	if p == nil {
		return
	}
	p.title(n, r.step)
	p.line("sent", plain, digest(r.request, r.shown))
	p.line("straight", p.straightColour(r), r.straight.answer.Status+"   "+r.telling(r.straight.answer))
	p.line("through", green, r.through.answer.Status+"   "+r.telling(r.through.answer))
	if got := changed(r); got != "" {
		p.line("server received", green, got)
	}
	if r.after != "" {
		p.line("same session, next", green, requestLine(r.after)+"   "+r.through.rest.Status)
	}
	if len(r.faults) > 0 {
		for _, f := range r.faults {
			p.line("FAILED", red, f.Error())
		}
		return
	}
	if r.alike {
		p.line("ok", green, fmt.Sprintf("%d bytes to the server and %d back are the same on both sides of the appliance", len(r.received), len(r.got)))
		return
	}
	p.line("ok", green, "the build with the vendor's patch gives the same answer as the appliance")
}

// straightColour is red where the vulnerable server shows its flaw.
func (p *Printer) straightColour(r *result) string {
	if r.alike {
		return green
	}
	return red
}

func (p *Printer) failed(n int, s *step, err error) {
	if p == nil {
		return
	}
	p.title(n, s)
	p.line("sent", plain, digest(s.request, s.shown))
	p.line("FAILED", red, err.Error())
}

// changed returns the shown headers of the request as the server received
// them, if the server did not receive what was sent.
func changed(r *result) string {
	if string(r.passed) == string(r.received) || r.after != "" {
		return ""
	}
	return headers(string(r.received), r.shown)
}

// digest is a request's first line and the headers that matter.
func digest(request string, names []string) string {
	if h := headers(request, names); h != "" {
		return requestLine(request) + "\n" + h
	}
	return requestLine(request)
}

func requestLine(request string) string {
	line, _, _ := strings.Cut(request, "\r\n")
	return line
}

func headers(message string, names []string) string {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	var found []string
	for _, line := range strings.Split(head, "\r\n")[1:] {
		for _, n := range names {
			if k, _, _ := strings.Cut(line, ":"); strings.EqualFold(k, n) {
				found = append(found, line)
			}
		}
	}
	return strings.Join(found, "\n")
}
