package out

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wirepatch/mgmt/events"
)

var lostField = regexp.MustCompile(` lost="(\d+)"`)

// Each kind of output keeps, while its receiver is away, what the store of events
// does: up to its bound nothing is lost, and beyond it the receiver is told how
// much was. Over UDP nobody can tell that it is away.
func TestEachKindUpToItsBound(t *testing.T) {
	const bound = 4000
	srv := httptest.NewUnstartedServer(nil) // for its certificate
	srv.StartTLS()
	defer srv.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	for _, kind := range []string{"tcp", "tls", "webhook"} {
		t.Run(kind, func(t *testing.T) {
			b := newBenchOf(t, events.Limits{Records: bound, Bytes: 1 << 30, Age: 10_000 * 24 * time.Hour})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := l.Addr().String()
			l.Close() // the receiver is away
			o := Output{Name: "siem", Kind: kind, Target: address, Format: Text, CA: ca}
			if kind == "webhook" {
				o.Target, o.CA = "http://"+address+"/", ""
			}
			b.add(o)
			for b.Events.Health().Oldest < bound { // until some have been given up
				b.correct(500)
				for b.Events.Resume().Seq < b.seq {
					time.Sleep(time.Millisecond)
				}
			}
			written := b.seq
			var events, lost atomic.Uint64
			got := make(chan string, 1000)
			switch kind {
			case "webhook":
				hook := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					var batch Batch
					if err := json.Unmarshal(body, &batch); err != nil {
						t.Error(err)
					}
					events.Add(uint64(len(batch.Events)))
					lost.Add(batch.Lost)
				})}
				if l, err = net.Listen("tcp", address); err != nil {
					t.Fatal(err)
				}
				go hook.Serve(l)
				defer hook.Close()
			default:
				config := srv.TLS
				if kind == "tcp" {
					config = nil
				}
				_, stop := serve(t, address, config, got)
				defer stop()
				go func() {
					for m := range got {
						if f := lostField.FindStringSubmatch(m); f != nil {
							n, _ := strconv.ParseUint(f[1], 10, 64)
							lost.Add(n)
						} else if strings.Contains(m, " correction ") {
							events.Add(1)
						}
					}
				}()
			}
			for end := time.Now().Add(2 * time.Minute); events.Load()+lost.Load() < written || b.Status()[0].Waiting > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d events came and %d are said to be lost of %d; %+v", events.Load(), lost.Load(), written, b.Status()[0])
				}
			}
			if events.Load()+lost.Load() != written || events.Load() < bound/2 || lost.Load() == 0 {
				t.Errorf("%d events came and %d are said to be lost; want %d together, at least %d of them here, and some lost", events.Load(), lost.Load(), written, bound/2)
			}
		})
	}
}
