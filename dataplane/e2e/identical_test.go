package e2e

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// TestUncorrectedIsIdentical compares what the client sends with what the
// server gets, and the other way round, frame by frame and bit by bit.
func TestUncorrectedIsIdentical(t *testing.T) { eachWay(t, testUncorrectedIsIdentical) }

func testUncorrectedIsIdentical(t *testing.T, attach string) {
	for name, host := range map[string]string{"IPv4": netns.Server4, "IPv6": "[" + netns.Server6 + "]"} {
		t.Run(name, func(t *testing.T) {
			b := newBoxBy(t, attach)
			b.AsOnWire(t)
			dir := startNginx(t, b.Server)
			writeFile(t, filepath.Join(dir, "file"), content(2<<20), 2<<20)
			client, server := netns.NewCapture(t, b.Client, "c0"), netns.NewCapture(t, b.Server, "s0")
			url := "http://" + host
			curl(t, b.Client, "-f", url+"/plain", url+"/file", url+"/echo", url+"/plain")
			curl(t, b.Client, "-f", "-T", filepath.Join(dir, "file"), url+"/put/up")
			identical(t, client, server, onPort(80))
			if st := b.status(t); st.Sessions.Total != 2 || st.Sessions.Edited != 0 || st.Ports[1].HandedUp == 0 {
				t.Errorf("sessions = %+v; want 2 inspected, none edited", st.Sessions)
			}
		})
	}
}

// identical compares what each end has sent with what the other got, as soon as
// that is as much: the last frames, of sessions that end, may be under way when the
// programs have ended.
func identical(t *testing.T, client, server *netns.Capture, pick func(frames []netns.Frame, outgoing bool) [][]byte) {
	t.Helper()
	var c, s []netns.Frame
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, s = append(c, client.All(t)...), append(s, server.All(t)...)
		crossed := len(pick(c, true)) == len(pick(s, false)) && len(pick(s, true)) == len(pick(c, false))
		if crossed || time.Now().After(end) {
			break
		}
	}
	same(t, "to the server", pick(c, true), pick(s, false))
	same(t, "to the client", pick(s, true), pick(c, false))
}

// onPort picks the frames of a TCP port that went out, or that came in.
func onPort(port uint16) func(frames []netns.Frame, outgoing bool) [][]byte {
	return func(frames []netns.Frame, outgoing bool) (out [][]byte) {
		for _, f := range frames {
			l4, proto := 14+20, 14+9
			if len(f.Data) > 14 && binary.BigEndian.Uint16(f.Data[12:]) == 0x86dd {
				l4, proto = 14+40, 14+6
			}
			if f.Outgoing != outgoing || len(f.Data) < l4+20 || f.Data[proto] != 6 {
				continue
			}
			if ports := f.Data[l4:]; binary.BigEndian.Uint16(ports) == port || binary.BigEndian.Uint16(ports[2:]) == port {
				out = append(out, f.Data)
			}
		}
		return out
	}
}

// same compares frames whatever their order: the receiving host's queues, one
// for each CPU, let what the kernel carried overtake what the engine sent from
// another CPU just before.
func same(t *testing.T, what string, sent, got [][]byte) {
	t.Helper()
	slices.SortFunc(sent, bytes.Compare)
	slices.SortFunc(got, bytes.Compare)
	if len(sent) < 20 {
		t.Errorf("%s: %d frames captured; want those of two sessions", what, len(sent))
	}
	if len(sent) != len(got) {
		t.Errorf("%s: %d frames sent, %d got", what, len(sent), len(got))
	}
	for i := range min(len(sent), len(got)) {
		if !bytes.Equal(sent[i], got[i]) {
			t.Fatalf("%s: frame %d\nsent %.120x\n got %.120x", what, i, sent[i], got[i])
		}
	}
}
