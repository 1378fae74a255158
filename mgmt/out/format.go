package out

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"wirepatch/firmware/release"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/wire"
)

// message is one record on its way out, of either log.
type message struct {
	time   time.Time
	kind   string // MSGID
	text   string
	level  int // syslog severity
	record *wire.Record
	audit  *audit.Record
	fields [][2]string // structured data
}

// Severities of syslog.
const (
	critical = 2
	warning  = 4
	notice   = 5
	info     = 6
)

func ofRecord(r wire.Record) message {
	m := message{time: r.Time, kind: r.Kind, text: r.Text, level: info, record: &r,
		fields: [][2]string{{"seq", strconv.FormatUint(r.Seq, 10)}, {"kind", r.Kind}}}
	switch r.Kind {
	case "restart":
		m.level = critical
	case "reset", "passed":
		m.level = warning
	}
	m.add("service", r.Service)
	m.add("client", r.Client)
	m.add("server", r.Server)
	if e := r.Evidence; e != nil {
		m.level = info // shadow
		if e.Mode == "correct" {
			m.level = notice
			if e.Action == "reset" || e.Action == "drop" {
				m.level = warning
			}
		}
		m.add("definition", e.Definition)
		m.add("revision", strconv.Itoa(e.Revision))
		m.add("mode", e.Mode)
		m.add("action", e.Action)
		m.add("element", e.Element)
	}
	return m
}

func ofAudit(r audit.Record) message {
	e, err := r.Entry()
	if err != nil {
		e.Action, e.Detail = "unreadable", err.Error()
	}
	m := message{time: e.Time, kind: "audit", level: info, audit: &r, text: strings.TrimSpace(strings.Join([]string{e.Who, e.Action, e.Object, e.Outcome}, " "))}
	// Whoever keeps the head can prove that the log up to it is whole.
	for _, kv := range [][2]string{{"audit", strconv.FormatUint(r.Seq, 10)}, {"head", r.Hash}, {"who", e.Who}, {"role", e.Role}, {"from", e.From}, {"action", e.Action},
		{"object", e.Object}, {"detail", e.Detail}, {"outcome", e.Outcome}} {
		m.add(kv[0], kv[1])
	}
	return m
}

// gap tells of records that were given up before they could go out.
func gap(n uint64, now time.Time) message {
	return message{time: now, kind: "gap", level: warning, text: fmt.Sprintf("%d records were given up before they could be sent", n), fields: [][2]string{{"lost", strconv.FormatUint(n, 10)}}}
}

func (m *message) add(key, value string) {
	if value != "" {
		m.fields = append(m.fields, [2]string{key, value})
	}
}

// facility is local0.
const facility = 16

// enterprise is the number that RFC 5612 keeps for examples: none is registered.
const enterprise = "wirepatch@32473"

// syslogLine is a message by RFC 5424, with the body in the output's format.
func (m message) syslogLine(host, format string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s wirepatch - %s ", facility*8+m.level, m.time.UTC().Format("2006-01-02T15:04:05.000000Z"), token(host, 255), token(m.kind, 32))
	switch format {
	case CEF:
		b.WriteString("- " + m.cef(host))
	case EVE:
		b.WriteString("- " + string(m.eve(host)))
	default:
		b.WriteString("[" + enterprise)
		for _, f := range m.fields {
			fmt.Fprintf(&b, ` %s="%s"`, f[0], paramEscape.Replace(line(f[1])))
		}
		b.WriteString("] \ufeff" + line(m.text)) // the mark says that it is UTF-8
	}
	return []byte(b.String())
}

var paramEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

// token is a header field: printable ASCII without spaces, "-" for none.
func token(s string, most int) string {
	out := []byte{}
	for i := 0; i < len(s) && len(out) < most; i++ {
		if s[i] > ' ' && s[i] < 0x7f {
			out = append(out, s[i])
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return string(out)
}

// line keeps text in one line and valid: what came over the wire must not end a
// record and begin one of its own.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == 0xfffd {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// cefSeverity turns syslog's into CEF's.
var cefSeverity = map[int]int{critical: 10, warning: 7, notice: 4, info: 2}

// cef is the message in ArcSight's Common Event Format.
func (m message) cef(host string) string {
	id, name := m.kind, m.kind
	ext := [][2]string{{"rt", strconv.FormatInt(m.time.UnixMilli(), 10)}, {"dvchost", host}, {"msg", m.text}}
	if r := m.record; r != nil {
		ext = append(ext, [2]string{"externalId", strconv.FormatUint(r.Seq, 10)})
		if c, err := netip.ParseAddrPort(r.Client); err == nil {
			ext = append(ext, [2]string{"src", c.Addr().String()}, [2]string{"spt", strconv.Itoa(int(c.Port()))})
		}
		if c, err := netip.ParseAddrPort(r.Server); err == nil {
			ext = append(ext, [2]string{"dst", c.Addr().String()}, [2]string{"dpt", strconv.Itoa(int(c.Port()))})
		}
		if e := r.Evidence; e != nil {
			id, name = e.Definition, "Inline patch "+e.Definition
			ext = append(ext, [2]string{"act", act(e.Mode, e.Action)}, [2]string{"cs1Label", "definition"}, [2]string{"cs1", e.Definition},
				[2]string{"cs3Label", "element"}, [2]string{"cs3", e.Element}, [2]string{"cn1Label", "revision"}, [2]string{"cn1", strconv.Itoa(e.Revision)})
		}
		if r.Service != "" {
			ext = append(ext, [2]string{"cs4Label", "service"}, [2]string{"cs4", r.Service})
		}
	}
	if m.audit != nil {
		e, _ := m.audit.Entry()
		name = e.Action
		ext = append(ext, [2]string{"suser", e.Who}, [2]string{"outcome", e.Outcome}, [2]string{"externalId", strconv.FormatUint(m.audit.Seq, 10)},
			[2]string{"cs6Label", "head"}, [2]string{"cs6", m.audit.Hash})
		if _, err := netip.ParseAddr(e.From); err == nil {
			ext = append(ext, [2]string{"src", e.From})
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "CEF:0|Wirepatch|Wirepatch|%s|%s|%s|%d|", cefHeader.Replace(release.Version), cefHeader.Replace(line(id)), cefHeader.Replace(line(name)), cefSeverity[m.level])
	for i, kv := range ext {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(kv[0] + "=" + cefValue.Replace(line(kv[1])))
	}
	return b.String()
}

var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`)
)

// act is what became of the session's bytes.
func act(mode, action string) string {
	words := map[string]string{"reject": "rejected", "reset": "reset", "drop": "dropped", "report": "passed"}
	switch {
	case mode != "correct":
		return "would-correct"
	case words[action] != "":
		return words[action]
	}
	return "corrected"
}

// eve is a correction as one object of Suricata's EVE JSON; nil for all else,
// for which that has no type.
func (m message) eve(host string) []byte {
	r := m.record
	if r == nil || r.Evidence == nil {
		return nil
	}
	e := r.Evidence
	type alert struct {
		Action    string              `json:"action"`
		GID       int                 `json:"gid"`
		ID        int                 `json:"signature_id"`
		Rev       int                 `json:"rev"`
		Signature string              `json:"signature"`
		Category  string              `json:"category"`
		Severity  int                 `json:"severity"`
		Metadata  map[string][]string `json:"metadata"`
	}
	v := struct {
		Timestamp string `json:"timestamp"`
		Type      string `json:"event_type"`
		SrcIP     string `json:"src_ip,omitempty"`
		SrcPort   int    `json:"src_port,omitempty"`
		DestIP    string `json:"dest_ip,omitempty"`
		DestPort  int    `json:"dest_port,omitempty"`
		Proto     string `json:"proto,omitempty"`
		Host      string `json:"host"`
		Alert     alert  `json:"alert"`
	}{Timestamp: m.time.UTC().Format("2006-01-02T15:04:05.000000-0700"), Type: "alert", Host: host,
		Alert: alert{Action: "allowed", GID: 1, ID: signatureID(e.Definition), Rev: e.Revision, Signature: line(e.Definition + " " + e.Element), Category: "Inline patch", Severity: map[int]int{warning: 2, notice: 3, info: 4}[m.level],
			Metadata: map[string][]string{"definition": {e.Definition}, "mode": {e.Mode}, "action": {act(e.Mode, e.Action)}, "service": {line(r.Service)}, "seq": {strconv.FormatUint(r.Seq, 10)}}}}
	if a := act(e.Mode, e.Action); a == "rejected" || a == "reset" || a == "dropped" {
		v.Alert.Action = "blocked"
	}
	if c, err := netip.ParseAddrPort(r.Client); err == nil {
		v.SrcIP, v.SrcPort, v.Proto = c.Addr().String(), int(c.Port()), "TCP"
		if e.Datagram {
			v.Proto = "UDP"
		}
	}
	if c, err := netip.ParseAddrPort(r.Server); err == nil {
		v.DestIP, v.DestPort = c.Addr().String(), int(c.Port())
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// signatureID is a number for a definition: the digits of its name.
func signatureID(definition string) int {
	n := 0
	for _, c := range definition {
		if c >= '0' && c <= '9' && n < 1<<31/10-1 {
			n = n*10 + int(c-'0')
		}
	}
	return n
}
