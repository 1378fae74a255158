package session

import (
	"encoding/binary"
	"strings"
	"testing"

	"wirepatch/dataplane/packet"
)

// named is a selective acknowledgement of the byte with which the receiver of a
// segment of that number was asked.
func named(seq uint32) []byte {
	b := binary.BigEndian.AppendUint32([]byte{1, 1, 5, 10}, seq-far)
	return binary.BigEndian.AppendUint32(b, seq-far+1)
}

// TestOldWordsAtPickUp: what has gone past the engine is on its way to its
// receiver. What that has said before it came does not make it new, and what it
// says behind that which it was asked with does.
func TestOldWordsAtPickUp(t *testing.T) {
	const line, next = "line\n", "next\n"
	type step struct {
		dir      Direction
		seq, ack uint32
		payload  string
		options  []byte
	}
	old := step{ToClient, 7000, 5000, "", nil}
	sent, again := step{ToServer, 5000, 7000, line, nil}, step{ToServer, 5000, 7000, line, nil}
	client := step{ToServer, 5005, 7000, "", named(7000)}
	has, lacks := step{ToClient, 7000, 5005, "", named(5000)}, step{ToClient, 7000, 5000, "", named(5000)}
	for name, tt := range map[string]struct {
		steps []step
		late  bool // the second step comes late
		seen  string
	}{
		"the receiver has it":          {[]step{sent, old, client, has, again, {ToServer, 5005, 7000, next, nil}}, false, next},
		"another order":                {[]step{sent, has, client, again, {ToServer, 5005, 7000, next, nil}}, false, next},
		"its words come first":         {[]step{old, sent, client, {ToClient, 7000, 5005, "", named(5000)}, again, {ToServer, 5005, 7000, next, nil}}, false, next},
		"the receiver lacks it":        {[]step{sent, old, client, lacks}, false, line},
		"the client speaks last":       {[]step{sent, lacks, client}, false, line},
		"it speaks before it is asked": {[]step{sent, client, lacks}, false, ""},
		"it names another byte":        {[]step{sent, client, {ToClient, 7000, 5000, "", named(5001)}}, false, ""},
		"it names none, and is late":   {[]step{sent, old, again}, true, line},
		"nobody names one, and is not": {[]step{sent, old, again}, false, ""},
	} {
		k, seen := newTaken(), ""
		k.known = false
		k.cfg.Services[0].New = func(Conn, bool) Inspector { return recorder{&seen} }
		for i, s := range tt.steps {
			if i > 0 && tt.late {
				k.now += surelyNow
			}
			k.say(s.dir, s.seq, s.ack, packet.ACK, s.payload, s.options...)
		}
		if seen != tt.seen {
			t.Errorf("%s: the decoder saw %q; want %q", name, seen, tt.seen)
		}
	}
}

// TestOldWordsOfSender: the same for what the segment that is kept acknowledges.
func TestOldWordsOfSender(t *testing.T) {
	k, seen := newTaken(), ""
	k.known = false
	k.cfg.Services[0].New = func(Conn, bool) Inspector { return replies{&seen} }
	k.say(ToServer, 5000, 7000, packet.ACK, "") // before it had the answer, which has gone past
	got := strings.Join(k.say(ToClient, 7000, 5000, packet.ACK, "answer\n"), " ")
	if strings.Contains(got, "answer") {
		t.Fatalf("the answer goes on before the client was heard: %s", got)
	}
	k.say(ToClient, 7007, 5000, packet.ACK, "", named(5000)...)
	k.say(ToServer, 5000, 7007, packet.ACK, "", named(7000)...)
	k.say(ToClient, 7000, 5000, packet.ACK, "answer\n")
	k.say(ToClient, 7007, 5000, packet.ACK, "more\n")
	if seen != "more\n" {
		t.Errorf("the decoder saw %q; want what the client lacks", seen)
	}
}

// TestOldStampAtPickUp: the segment that was kept follows what its sender has said
// since, so it takes over the time of that, or its receiver would discard it as old
// (PAWS); and so each time that it is sent again, if each time finds a new engine.
func TestOldStampAtPickUp(t *testing.T) {
	stamp := func(v uint32, more ...byte) []byte {
		b := binary.BigEndian.AppendUint32([]byte{1, 1, 8, 10}, v)
		return append(binary.BigEndian.AppendUint32(b, 1), more...)
	}
	k, seen := newTaken(), ""
	k.known = false
	k.cfg.Services[0].New = func(Conn, bool) Inspector { return recorder{&seen} }
	k.say(ToServer, 5000, 7000, packet.ACK, "line\n", stamp(100)...)
	k.say(ToClient, 7000, 5000, packet.ACK, "", stamp(50, named(5000)...)...)
	k.say(ToServer, 5005, 7000, packet.ACK, "", stamp(140, named(7000)...)...)
	if seen != "line\n" || len(k.out) == 0 {
		t.Fatalf("the decoder saw %q, and %d frames went on; want what was kept", seen, len(k.out))
	}
	latest := uint32(0)
	for _, b := range k.out {
		var f packet.Frame
		if err := f.Parse(b); err != nil {
			t.Fatal(err)
		}
		at := packet.TimestampAt(f.Options())
		v := be32(f.Options()[at:])
		if int32(v-latest) < 0 {
			t.Errorf("a segment with the time %d follows one with %d", v, latest)
		}
		latest = v
	}
}

// TestAskedAgain: who was asked, and is silent, is asked by the clock, as its
// answer may be lost, but not for ever.
func TestAskedAgain(t *testing.T) {
	k, seen := newTaken(), ""
	k.known = false
	k.cfg.Services[0].New = func(Conn, bool) Inspector { return recorder{&seen} }
	asked := len(k.say(ToServer, 5000, 7000, packet.ACK, "line\n"))
	for range 100 {
		k.out = nil
		k.now += int64(tryEvery) / 2
		k.Tick(k.now)
		asked += len(k.out)
	}
	if asked != 1+maxFirst {
		t.Errorf("the server was asked %d times in 5 s; want %d", asked, 1+maxFirst)
	}
	k.say(ToClient, 7000, 5000, packet.ACK, "", named(5000)...)
	k.say(ToServer, 5005, 7000, packet.ACK, "", named(7000)...)
	if seen != "line\n" {
		t.Errorf("the decoder saw %q once both have answered; want what was kept", seen)
	}
}

// replies is a recorder of what the server says.
type replies struct{ seen *string }

func (r replies) Inspect(dir Direction, data []byte, _ bool) Verdict {
	if dir == ToClient {
		*r.seen += string(data)
	}
	return Verdict{Release: int64(len(data))}
}
