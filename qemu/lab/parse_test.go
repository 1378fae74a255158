package lab

import (
	"bytes"
	"testing"
)

// FuzzReadFrame: whatever comes from the wire, a frame is within its bounds
// and reads back as it was written.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 'a', 'b'})
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 9, 'a'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bytes.NewReader(stream)
		var again bytes.Buffer
		buf := make([]byte, maxFrame)
		for {
			frame, err := readFrame(r, buf)
			if err != nil {
				break
			}
			if err := writeFrame(&again, frame); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(stream, again.Bytes()) {
			t.Errorf("frames of %x are written as %x", stream, again.Bytes())
		}
	})
}

// FuzzReadCapture: whatever the file says, reading it ends without a panic.
func FuzzReadCapture(f *testing.F) {
	file := &memory{}
	c := NewCapture(file)
	c.Frame([]byte("one"))
	c.Frame(nil)
	c.Close()
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:30])
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, err := ReadCapture(bytes.NewReader(b))
		total := 0
		for _, f := range frames {
			total += len(f)
		}
		if total > len(b) {
			t.Errorf("ReadCapture() = %d bytes of frames, %v, out of %d bytes", total, err, len(b))
		}
	})
}
