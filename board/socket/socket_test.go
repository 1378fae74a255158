package socket

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// full is a listener that at first has no room.
type full struct {
	net.Listener
	refuses int
}

func (f *full) Accept() (net.Conn, error) {
	if f.refuses--; f.refuses >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return f.Listener.Accept()
}

// Neither that too many files are open for a moment nor an answer that panics ends
// a service for good.
func TestServeGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path, -1)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	asked := 0
	go func() {
		ended <- Serve(t.Context(), &full{l, 2}, time.Minute, func(_ context.Context, c net.Conn) {
			if asked++; asked == 1 {
				panic("a question that nobody thought of")
			}
			io.WriteString(c, "here")
		})
	}()
	for _, want := range []string{"", "here"} {
		c, done, err := Dial(t.Context(), path, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		if got, err := io.ReadAll(c); string(got) != want || err != nil {
			t.Errorf("the answer is %q, %v; want %q", got, err, want)
		}
	}
	l.Close()
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v; want nil once the listener is closed", err)
	}
}
