package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Offsets into a bzImage, from the kernel's Documentation/arch/x86/boot.rst.
const (
	setupSectors  = 0x1f1 // 512-byte sectors of the real-mode part, less the first
	headerMagic   = 0x202 // "HdrS"
	payloadOffset = 0x248 // of the compressed kernel, from the protected-mode part on
	payloadLength = 0x24c
	headerEnd     = 0x250
)

// maxVmlinux is more than any kernel of the series unpacks to, in bytes.
const maxVmlinux = 512 << 20

// Vmlinux takes the ELF kernel out of a bzImage. QEMU starts it by its PVH
// entry, which spares the emulated processor the unpacking.
func Vmlinux(image []byte) ([]byte, error) {
	if len(image) < headerEnd || string(image[headerMagic:headerMagic+4]) != "HdrS" {
		return nil, errors.New("read bzImage: not a Linux boot image")
	}
	start := (uint64(image[setupSectors])+1)*512 + uint64(binary.LittleEndian.Uint32(image[payloadOffset:]))
	end := start + uint64(binary.LittleEndian.Uint32(image[payloadLength:]))
	// The payload ends with its unpacked size in four bytes, which is no part
	// of the compressed stream.
	if start+8 > end || end > uint64(len(image)) {
		return nil, errors.New("read bzImage: payload lies outside of the file")
	}
	elf, err := decompress(image[start : end-4])
	if err != nil {
		return nil, fmt.Errorf("unpack bzImage: %w", err)
	}
	if want := binary.LittleEndian.Uint32(image[end-4:]); uint32(len(elf)) != want {
		return nil, fmt.Errorf("unpack bzImage: got %d bytes; its trailer says %d", len(elf), want)
	}
	if !bytes.HasPrefix(elf, []byte("\x7fELF")) {
		return nil, errors.New("unpack bzImage: payload is no ELF file")
	}
	return elf, nil
}

func decompress(b []byte) ([]byte, error) {
	var r io.Reader
	switch {
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderMaxWindow(1<<28))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case bytes.HasPrefix(b, []byte("\xfd7zXZ\x00")):
		z, err := xz.ReaderConfig{SingleStream: true}.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		r = z
	default:
		return nil, fmt.Errorf("compression with magic % x is not known; known are zstd and xz", b[:4])
	}
	out, err := io.ReadAll(io.LimitReader(r, maxVmlinux+1))
	if err == nil && len(out) > maxVmlinux {
		err = fmt.Errorf("more than %d bytes", maxVmlinux)
	}
	return out, err
}
