package port

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wirepatch/dataplane/patch"
	"wirepatch/dataplane/protocol"
	"wirepatch/dataplane/protocol/http"
	"wirepatch/dataplane/session"
)

// strikes puts a set's rules in force below, with those that are strikes.
func (j *judge) strikes(set *patch.Set) []patch.Strike {
	texts := set.Texts("http", patch.Look{Sight: http.SimpleHeads, Worth: Worth, WorthLength: WorthLength, Strike: CanStrike})
	v := Vetting{Requests: len(texts.Every[0]) == 0, Responses: len(texts.Every[1]) == 0, Texts: texts.Of, Long: texts.Long, Keep: texts.LooksBack}
	for _, k := range texts.Strikes {
		v.Strike = append(v.Strike, k.Name)
	}
	j.SetVetting(v)
	return texts.Strikes
}

// decoded is what the decoder makes of a request, and the lines that it takes out.
func decoded(t *testing.T, set *patch.Set, request string) (out string, lines []string) {
	t.Helper()
	d := http.New(set.For("s"), protocol.Conn{}, http.Options{})
	left := []byte(request)
	var b []byte
	for len(left) > 0 {
		v := d.Inspect(session.ToServer, left, false)
		if v.Release <= 0 || v.Release > int64(len(left)) || v.End != session.Continue || len(v.Reply) > 0 {
			t.Fatalf("%q went on; the decoder: %+v", request, v)
		}
		at := 0
		for _, e := range v.Edits {
			b = append(append(b, left[at:e.Start]...), e.With...)
			at = e.End
		}
		b = append(b, left[at:v.Release]...)
		for _, e := range v.Evidence {
			lines = append(lines, string(e.Before))
		}
		left = left[v.Release:]
	}
	return string(b), lines
}

// TestStruckAsDecoded shows hostile requests to the program and to the decoder:
// what goes on below is what the decoder makes of it.
func TestStruckAsDecoded(t *testing.T) {
	set := compile(t, ruleTexts[:7]...)
	j := striking(t)
	if got := j.strikes(set); len(got) != 1 || got[0].Name != "x-middleware-subrequest" || got[0].Definition != "WP-2099-0" {
		t.Fatalf("strikes = %+v; want that of the first rule", got)
	}
	const sessions = 30_000
	struck, other := 0, 0
	for seed := range uint64(sessions) {
		r := rand.New(rand.NewPCG(seed, 8))
		m := goodRequests[1+r.IntN(2)]
		if r.IntN(4) > 0 {
			lines := strings.SplitAfter(m, "\r\n")
			at := 1 + r.IntN(len(lines)-2)
			field := fmt.Sprintf("x-MiddleWare-subrequest:%s\r\n", strings.Repeat(" a", r.IntN(300)))
			m = strings.Join(slices.Insert(lines, at, field), "")
		}
		if r.IntN(3) > 0 {
			m = hostile(r, m)
		}
		if len(m) == 0 || len(m) > 3000 {
			continue
		}
		k := j.open(uint16(seed%60_000) + 1)
		at := k.seq[A]
		if k.say(A, m) == on {
			got := k.out(piece{from: A, in: A, flags: flagACK, seq: at, ack: k.seq[B], payload: m})[54:]
			want, lines := decoded(t, set, m)
			if !bytes.Equal(got, []byte(want)) {
				t.Fatalf("%q went on as %q; want %q", m, got, want)
			}
			var told []string
			for s, ok := k.NextStruck(); ok; s, ok = k.NextStruck() {
				told = append(told, string(s.Line))
			}
			if !slices.Equal(told, lines) {
				t.Fatalf("of %q was told %q; want %q", m, told, lines)
			}
			if len(lines) > 0 {
				struck++
			} else {
				other++
			}
		}
		k.end()
	}
	if struck < sessions/10 || other < sessions/10 {
		t.Errorf("%d requests were corrected below, %d went on as they were; want many of both", struck, other)
	}
}
