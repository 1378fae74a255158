package lab

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
)

// Capture writes frames as a pcap file that Wireshark opens
// (draft-ietf-opsawg-pcap, with nanoseconds). A nil Capture takes nothing.
type Capture struct {
	mu    sync.Mutex
	w     *bufio.Writer
	close io.Closer
	err   error
}

const (
	pcapNanoseconds = 0xa1b23c4d
	linkEthernet    = 1
)

// NewCapture begins a file on w, which Close closes.
func NewCapture(w io.WriteCloser) *Capture {
	c := &Capture{w: bufio.NewWriterSize(w, 64<<10), close: w}
	head := make([]byte, 0, 24)
	head = binary.LittleEndian.AppendUint32(head, pcapNanoseconds)
	head = binary.LittleEndian.AppendUint16(head, 2) // version 2.4
	head = binary.LittleEndian.AppendUint16(head, 4)
	head = append(head, make([]byte, 8)...)
	head = binary.LittleEndian.AppendUint32(head, maxFrame)
	head = binary.LittleEndian.AppendUint32(head, linkEthernet)
	_, c.err = c.w.Write(head)
	return c
}

// Frame adds one frame, as of now.
func (c *Capture) Frame(frame []byte) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	head := make([]byte, 0, 16)
	head = binary.LittleEndian.AppendUint32(head, uint32(now.Unix()))
	head = binary.LittleEndian.AppendUint32(head, uint32(now.Nanosecond()))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(frame)))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(frame)))
	if c.err == nil {
		_, c.err = c.w.Write(head)
	}
	if c.err == nil {
		_, c.err = c.w.Write(frame)
	}
}

// Close completes the file and reports the first fault in writing it.
func (c *Capture) Close() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = c.w.Flush()
	}
	if err := c.close.Close(); c.err == nil {
		c.err = err
	}
	if c.err != nil {
		return fmt.Errorf("writing the capture: %w", c.err)
	}
	return nil
}

// ReadCapture returns the frames of a file that Capture wrote.
func ReadCapture(r io.Reader) ([][]byte, error) {
	var head [24]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("reading the capture's head: %w", err)
	}
	if m := binary.LittleEndian.Uint32(head[:]); m != pcapNanoseconds {
		return nil, fmt.Errorf("reading the capture: magic number is %#x, want %#x", m, pcapNanoseconds)
	}
	var frames [][]byte
	for {
		var record [16]byte
		if _, err := io.ReadFull(r, record[:]); err == io.EOF {
			return frames, nil
		} else if err != nil {
			return frames, fmt.Errorf("reading record %d: %w", len(frames), err)
		}
		n := binary.LittleEndian.Uint32(record[8:])
		if n > maxFrame {
			return frames, fmt.Errorf("reading record %d: %d bytes", len(frames), n)
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(r, frame); err != nil {
			return frames, fmt.Errorf("reading record %d: %w", len(frames), err)
		}
		frames = append(frames, frame)
	}
}
