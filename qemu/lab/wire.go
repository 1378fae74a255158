package lab

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// maxFrame bounds what a frame's length prefix may say, in bytes: QEMU's own
// bound is 68 KB.
const maxFrame = 68 << 10

// Plug joins the host's port to a wire and carries frames until the wire ends
// or ctx does. Each frame is preceded by its length, 4 bytes in network order,
// as QEMU's stream netdev has it. A capture may be nil.
func (h *Host) Plug(ctx context.Context, wire net.Conn, capture *Capture) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { wire.Close() })
	defer stop()
	sent := make(chan error, 1)
	go func() {
		defer cancel()
		sent <- send(ctx, h.port, wire, capture)
	}()
	err := receive(h.port, wire, capture)
	cancel()
	wire.Close()
	if serr := <-sent; serr != nil {
		err = serr
	}
	return err
}

// send writes what the host sends, as many frames at once as there are.
func send(ctx context.Context, port *channel.Endpoint, wire io.Writer, capture *Capture) error {
	w := bufio.NewWriterSize(wire, 256<<10)
	for {
		pkt := port.Read()
		if pkt == nil {
			if err := w.Flush(); err != nil {
				return fmt.Errorf("sending on the wire: %w", err)
			}
			if pkt = port.ReadContext(ctx); pkt == nil {
				return nil
			}
		}
		view := pkt.ToView()
		pkt.DecRef()
		err := writeFrame(w, view.AsSlice())
		capture.Frame(view.AsSlice())
		view.Release()
		if err != nil {
			return fmt.Errorf("sending on the wire: %w", err)
		}
	}
}

func writeFrame(w io.Writer, frame []byte) error {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(frame)))
	if _, err := w.Write(length[:]); err != nil {
		return err
	}
	_, err := w.Write(frame)
	return err
}

// receive gives the host what the wire brings.
func receive(port *channel.Endpoint, wire io.Reader, capture *Capture) error {
	r := bufio.NewReaderSize(wire, 256<<10)
	buf := make([]byte, maxFrame)
	for {
		frame, err := readFrame(r, buf)
		if err != nil {
			return fmt.Errorf("receiving from the wire: %w", err)
		}
		capture.Frame(frame)
		if len(frame) < header.EthernetMinimumSize {
			continue
		}
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
		port.InjectInbound(0, pkt) // its EtherType says what it is
		pkt.DecRef()
	}
}

// readFrame reads one frame into buf, which holds maxFrame bytes.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes; at most %d are possible", n, maxFrame)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return nil, err
	}
	return buf[:n], nil
}
