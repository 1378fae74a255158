package uki

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// MeasuredIn is the TPM's register (PCR) in which the stub measures the image,
// and nothing else is.
const MeasuredIn = 11

// measured are the sections that the stub measures, in its order: first the name
// with the zero at its end, then the content.
var measured = []string{Linux, OSRelease, Cmdline, Initrd, ".splash", ".dtb"}

// Measure returns what the register holds once the image in r was started: it
// begins with zeros, and each measurement is hashed together with what was there.
func Measure(r io.ReaderAt) (register [sha256.Size]byte, err error) {
	extend := func(sum []byte) { register = sha256.Sum256(append(register[:], sum...)) }
	for _, name := range measured {
		s, err := section(r, name)
		if errors.Is(err, errNoSection) {
			continue
		}
		if err != nil {
			return register, fmt.Errorf("measure: %w", err)
		}
		label := sha256.Sum256(append([]byte(name), 0))
		extend(label[:])
		content := sha256.New()
		if n, err := io.Copy(content, s); err != nil || n != s.Size() {
			return register, fmt.Errorf("measure section %s: %d of %d bytes: %w", name, n, s.Size(), cmp.Or(err, io.ErrUnexpectedEOF))
		}
		extend(content.Sum(nil))
	}
	return register, nil
}
