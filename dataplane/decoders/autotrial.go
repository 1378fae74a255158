package decoders

import (
	"bytes"
	"regexp"
	"strings"

	"wirepatch/dataplane/protocol/dialogue"
	"wirepatch/dataplane/session"
)

// A greeting of 220 that names neither FTP nor SMTP, or both, leaves to the client
// what the session is; but a client may say what it likes. So it is believed only
// once the server has taken a command that the other protocol has not. Until then
// one command at a time goes on, decoded as that of the protocol whose it is.

// trial is one command whose reply has not come.
type trial struct {
	in      session.Inspector
	settles bool // with a good reply it is known what the session is
	answers dialogue.Answers
}

var (
	reTLS  = regexp.MustCompile(`(?i)^AUTH[ \t]+(TLS|SSL|TLS-C|TLS-P)[ \t]*$`) // of FTP: no mechanism of SMTP has such a name
	reWord = regexp.MustCompile(`^[A-Za-z]{3,10}([ \t].*)?$`)
	// ofSMTP are commands that no server of FTP takes.
	ofSMTP = words("EHLO HELO LHLO MAIL RCPT DATA BDAT RSET VRFY EXPN ETRN STARTTLS XCLIENT XFORWARD")
	// ofFTP are commands that no server of SMTP takes.
	ofFTP = words("USER PASS ACCT ADAT CCC CLNT CWD EPSV FEAT HOST LANG LIST MODE NLST OPTS PASV PBSZ PROT PWD REIN RETR STOR STRU SYST TYPE")
)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// afterGreeting tells FTP from SMTP by a command of the client.
func afterGreeting(data []byte) (string, answer) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		return "", perhaps
	}
	line := strings.TrimRight(string(data[:i]), "\r")
	switch {
	case !reWord.MatchString(line):
		return "", unknown
	case ofSMTP[wordOf(line)]:
		return "smtp", certain
	}
	return "ftp", certain
}

func wordOf(line string) string {
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		line = line[:i]
	}
	return strings.ToUpper(line)
}

// try has the decoder of that name decide about the client's next command.
func (a *recogniser) try(name string, data []byte, eof bool) session.Verdict {
	if a.half == len(a.greeting) && !eof {
		return session.Verdict{} // the client has not waited for the end of the greeting
	}
	n := bytes.IndexByte(data, '\n') + 1
	line := strings.TrimRight(string(data[:n]), "\r\n")
	word := wordOf(line)
	t := &trial{in: a.set[name].New(a.rules, a.conn, a.o), settles: ofSMTP[word] || ofFTP[word] || reTLS.MatchString(line)}
	g := t.in.Inspect(session.ToClient, a.greeting, false) // it has gone; the decoder is to know of it
	switch {
	case g.End != session.Continue || g.Release >= int64(len(a.greeting)):
	case eof:
		return a.giveUp(data)
	default:
		a.half = len(a.greeting)
		return session.Verdict{}
	}
	v := t.in.Inspect(session.ToServer, data[:n], eof && n == len(data))
	kept := len(v.Edits) == 1 && v.Edits[0].Start == 0 && v.Edits[0].End == n && len(v.Edits[0].With) == 0
	switch {
	case v.End != session.Continue, v.Release == session.Forever:
		a.chosen = t.in
	case v.Release != int64(n):
		return a.giveUp(data)
	case kept:
		a.tried, a.again = true, true
	default:
		a.trial, a.tried = t, true
	}
	return v
}

// onTrial waits for the reply to the command.
func (a *recogniser) onTrial(dir session.Direction, data []byte, eof bool) session.Verdict {
	if dir == session.ToServer {
		if eof && len(data) > 0 {
			return a.giveUp(data)
		}
		return session.Verdict{}
	}
	t := a.trial
	reply, bad, whole := t.answers.Next(data, eof)
	if !whole && !eof && len(data) < maxReply {
		return session.Verdict{}
	}
	t.answers = dialogue.Answers{}
	switch {
	case whole && bad == "" && t.settles && reply.Code < 400:
		a.chosen, a.trial, a.greeting = t.in, nil, nil
	case whole && bad == "" && reply.Code >= 200:
		a.trial = nil
	}
	v := t.in.Inspect(dir, data, eof)
	if v.End != session.Continue || v.Release == session.Forever {
		a.chosen = t.in
	}
	return v
}

// maxReply bounds a reply that is waited for.
const maxReply = 64 << 10
