package prove

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"wirepatch/dataplane/patch"
)

// entry is one exchange as a proof writes it down: requests that follow each
// other on one session (mutable, for they are understood), or raw steps.
type entry struct {
	texts    []string  // as it is written, where it is not steps; read makes of it
	requests []request // HTTP, or
	lines    []string  // commands of FTP, or
	packets  [][]byte  // of a binary protocol
	steps    []step    // else
	why      string    // why the two versions differ although it is harmless
	once     bool      // it is not mutated
	without  []string  // mutations that make no sense of it
	anyway   bool      // the proof has not said that it is harmless
}

// request is an HTTP request whose parts can be changed.
type request struct {
	method, target, version string
	headers                 [][2]string
	body                    string
	before, colon, eol      string // how it is written; empty: nothing, ": ", CRLF
}

// step is bytes that are sent, and what is waited for behind them.
type step struct {
	send    []byte
	methods []string       // so many responses, to these methods; nil: not HTTP
	wait    *regexp.Regexp // until what has come in this step matches
	calm    bool           // sent once the server has nothing to do any more
}

// UnmarshalYAML reads an entry: text is a request, a list are requests in one
// session, one behind the other without waiting.
// In proofs of other protocols text is a command that is answered, or a packet in
// hexadecimal; those of a list follow each other. A map has
//
//	raw: bytes          answers: METHODS, one response is waited for each
//	steps: [{send: bytes | hex: digits | frame: text, wait: pattern, methods: …}]
//	request: text | list
//	differs: reason     the two versions differ in what is harmless
//	once: true          no mutations
//	without: [names]    none of these
func (e *entry) UnmarshalYAML(unmarshal func(any) error) error {
	var v any
	if err := unmarshal(&v); err != nil {
		return err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return e.text(v)
	}
	for k, v := range m {
		var err error
		switch k {
		case "request":
			err = e.text(v)
		case "raw":
			var s step
			answers, _ := m["answers"].(string)
			if s, err = stepOf(map[string]any{"send": v, "methods": answers}); err == nil {
				e.steps = []step{s}
			}
		case "answers":
		case "steps":
			list, _ := v.([]any)
			for _, one := range list {
				fields, _ := one.(map[string]any)
				var s step
				if s, err = stepOf(fields); err != nil {
					return err
				}
				e.steps = append(e.steps, s)
			}
		case "differs":
			e.why = fmt.Sprint(v)
		case "without":
			list, _ := v.([]any)
			for _, one := range list {
				e.without = append(e.without, fmt.Sprint(one))
			}
		case "once":
			e.once = v == true
		default:
			err = fmt.Errorf("no key %q in an exchange", k)
		}
		if err != nil {
			return err
		}
	}
	if len(e.texts)+len(e.steps) == 0 {
		return fmt.Errorf("an exchange without request, raw or steps")
	}
	return nil
}

func (e *entry) text(v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, one := range list {
		text, ok := one.(string)
		if !ok {
			return fmt.Errorf("found %v; want text", one)
		}
		e.texts = append(e.texts, text)
	}
	return nil
}

// read makes of the texts what they are in the protocol.
func (e *entry) read(protocol string) error {
	for _, text := range e.texts {
		switch protocol {
		case "http", "websocket":
			r, err := parseRequest(text)
			if err != nil {
				return err
			}
			e.requests = append(e.requests, r)
		case "ftp":
			e.lines = append(e.lines, text)
		default:
			b, err := unhex(text)
			if err != nil {
				return err
			}
			e.packets = append(e.packets, b)
		}
	}
	return nil
}

// unhex reads octets in hexadecimal, with blanks anywhere; templates are filled in.
func unhex(text string) ([]byte, error) {
	text, err := patch.Fill(text)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fmt.Errorf("%q: %w; want octets in hexadecimal", text, err)
	}
	return b, nil
}

// UnmarshalYAML reads a step.
func (s *step) UnmarshalYAML(unmarshal func(any) error) error {
	var m map[string]any
	if err := unmarshal(&m); err != nil {
		return err
	}
	var err error
	*s, err = stepOf(m)
	return err
}

// stepOf reads one step.
func stepOf(m map[string]any) (s step, err error) {
	for k, v := range m {
		text := fmt.Sprint(v)
		if text, err = patch.Fill(text); err != nil {
			return s, fmt.Errorf("%q: %w", v, err)
		}
		switch k {
		case "send":
			s.send = append(s.send, text...)
		case "hex":
			var b []byte
			if b, err = unhex(text); err == nil {
				s.send = append(s.send, b...)
			}
		case "text", "binary", "close":
			s.send = append(s.send, frame(k, text)...)
		case "wait":
			s.wait, err = regexp.Compile(text)
		case "methods":
			s.methods = strings.Fields(text)
		default:
			err = fmt.Errorf("no key %q in a step", k)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// frame is a masked WebSocket frame.
func frame(kind, payload string) []byte {
	b := []byte{map[string]byte{"text": 0x81, "binary": 0x82, "close": 0x88}[kind]}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

// parseRequest reads a request: its first line, headers, an empty line, the
// body. HTTP/1.1, a Host and the body's length are added where they are
// missing.
func parseRequest(text string) (request, error) {
	text, err := patch.Fill(text)
	if err != nil {
		return request{}, err
	}
	if !strings.HasSuffix(text, "\r\n") { // else it is a part of the body, and meant
		text = strings.TrimSuffix(text, "\n")
	}
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	method, target, ok := strings.Cut(lines[0], " ")
	if !ok {
		return request{}, fmt.Errorf("%q is no request line", lines[0])
	}
	r := request{method: method, target: target, version: "HTTP/1.1", body: body}
	if t, v, ok := strings.Cut(target, " HTTP/"); ok {
		r.target, r.version = t, "HTTP/"+v
	}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return r, fmt.Errorf("%q is no header", l)
		}
		r.headers = append(r.headers, [2]string{name, strings.TrimPrefix(value, " ")})
	}
	if !r.has("Host") {
		r.headers = append([][2]string{{"Host", "a"}}, r.headers...)
	}
	if body != "" && !r.has("Content-Length") && !r.has("Transfer-Encoding") {
		r.headers = append(r.headers, [2]string{"Content-Length", fmt.Sprint(len(body))})
	}
	return r, nil
}

func (r *request) has(name string) bool { return r.find(name) >= 0 }

func (r *request) find(name string) int {
	for i, h := range r.headers {
		if strings.EqualFold(strings.TrimSpace(h[0]), name) {
			return i
		}
	}
	return -1
}

// bytes writes the request out.
func (r *request) bytes() []byte {
	colon, eol := cmp.Or(r.colon, ": "), cmp.Or(r.eol, "\r\n")
	b := []byte(r.before + r.method + " " + r.target + " " + r.version + eol)
	for _, h := range r.headers {
		b = append(b, h[0]+colon+h[1]+eol...)
	}
	return append(append(b, eol...), r.body...)
}
