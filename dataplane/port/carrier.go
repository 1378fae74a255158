package port

import (
	"errors"

	"wirepatch/dataplane/packet"
)

// carrier is how one wire port's frames come up to the engine and go out again:
// TAP and packet socket beside tcx, AF_XDP sockets beside XDP.
type carrier interface {
	// fds are what to poll for frames.
	fds() []int
	// ready says, without a system call, that a frame waits. It may not know.
	ready() bool
	// recv is Port.Recv.
	recv(buf []byte) (packet.VNet, []byte, error)
	// send takes a frame, of packets packets, to be sent by flush at the latest.
	send(v packet.VNet, frame []byte, packets int) error
	// flush sends what waits, and returns what of all that send took has failed
	// since it was last called.
	flush() unsent
	// lost counts frames that were handed up and found no room. Any goroutine
	// may call it.
	lost() (uint64, error)
	close()
}

// Backlog is how many frames can wait for the engine on one side.
const Backlog = 16384

// sendBuffer bounds what the kernel holds for one port of what the engine sent,
// in bytes. Beyond it a frame is lost, as on a wire.
const sendBuffer = 8 << 20

// errHeld says that another process has the ports.
var errHeld = errors.New("another dataplane process holds it")

// unsent is what the kernel did not take.
type unsent struct{ packets, bytes int }
