package lab

import (
	"io"
	"net"
	"sync"
)

// stream is a TCP session of either kind: of a Host or of this computer.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error // FIN
	Abort()            // RST
}

// kernel is a session of this computer.
type kernel struct{ *net.TCPConn }

// Abort resets the session.
func (k kernel) Abort() {
	k.SetLinger(0)
	k.Close()
}

// splice carries a and b into each other until both are done. An end of one
// becomes the end of the other, a reset a reset, and who is not read from is
// not written for either.
func splice(a, b stream) {
	var both sync.WaitGroup
	var once sync.Once
	fail := func() { once.Do(func() { a.Abort(); b.Abort() }) }
	both.Go(func() { pump(a, b, fail) })
	pump(b, a, fail)
	both.Wait()
	a.Close()
	b.Close()
}

// pump carries from into to; fail resets both.
func pump(to, from stream, fail func()) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				fail()
				return
			}
		}
		if err == io.EOF {
			if to.CloseWrite() != nil {
				fail()
			}
			return
		}
		if err != nil {
			fail()
			return
		}
	}
}
