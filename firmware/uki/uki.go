// Package uki makes and reads unified kernel images: systemd's boot stub with
// kernel, initramfs and command line added as sections of one PE file, which
// the machine's firmware starts, and checks the signature of, as a whole.
// images/build makes them; the update reads what they say about themselves. It
// knows nothing of disks and slots.
package uki

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The sections that the stub looks for.
const (
	OSRelease = ".osrel"   // what it is, as /etc/os-release
	Cmdline   = ".cmdline" // of the kernel
	Uname     = ".uname"   // release of the kernel
	Initrd    = ".initrd"
	Linux     = ".linux"
)

// Section is one part to add.
type Section struct {
	Name string // at most eight bytes
	Data []byte
}

// Offsets in a PE file (Microsoft's PE format specification) from its
// signature on, and in a section's header.
const (
	sectionCount    = 6
	symbolTable     = 12
	optionalSize    = 20
	optional        = 24
	initializedSize = optional + 8
	alignments      = optional + 32 // of sections in memory, then in the file
	imageSize       = optional + 56
	headersSize     = optional + 60
	checksum        = optional + 64
	directories     = optional + 112
	headerLength    = 40
	readable        = 0x40000040 // initialized data, readable
	pageSize        = 4096
)

// maxHeader is how much of a file may be headers.
const maxHeader = 64 << 10

type header struct {
	pe    int // offset of the signature
	table int // of the section table
	count int
	end   int // of the headers, as the file says
}

// parseHeader reads the beginning of a PE32+ file.
func parseHeader(b []byte) (h header, err error) {
	bad := func(what string) (header, error) {
		return header{}, fmt.Errorf("read EFI program: %s; the file is damaged or something else", what)
	}
	if len(b) < 0x40 || string(b[:2]) != "MZ" {
		return bad("it does not begin as one")
	}
	h.pe = int(binary.LittleEndian.Uint32(b[0x3c:]))
	if h.pe > len(b)-directories || string(b[h.pe:h.pe+4]) != "PE\x00\x00" {
		return bad("no PE header")
	}
	if binary.LittleEndian.Uint16(b[h.pe+optional:]) != 0x20b {
		return bad("not of 64 bits")
	}
	h.count = int(binary.LittleEndian.Uint16(b[h.pe+sectionCount:]))
	h.table = h.pe + optional + int(binary.LittleEndian.Uint16(b[h.pe+optionalSize:]))
	h.end = int(binary.LittleEndian.Uint32(b[h.pe+headersSize:]))
	if h.end > len(b) || h.table+h.count*headerLength > h.end {
		return bad("its headers reach beyond it")
	}
	return h, nil
}

// Add returns stub with the sections added behind its own. The debug symbols
// behind the stub's sections are left out.
func Add(stub []byte, sections ...Section) ([]byte, error) {
	h, err := parseHeader(stub)
	if err != nil {
		return nil, err
	}
	if room := (h.end - h.table) / headerLength; h.count+len(sections) > room {
		return nil, fmt.Errorf("add sections: the stub has room for %d headers; want %d", room, h.count+len(sections))
	}
	fileAlign := int(binary.LittleEndian.Uint32(stub[h.pe+alignments+4:]))
	if fileAlign < 1 || fileAlign > pageSize {
		return nil, fmt.Errorf("add sections: alignment of %d in the file is not supported", fileAlign)
	}
	memory, end := h.extent(stub)
	if end > len(stub) {
		return nil, errors.New("add sections: the stub is cut short")
	}
	out := append([]byte(nil), stub[:end]...)
	put := binary.LittleEndian.PutUint32
	for i, s := range sections {
		out = pad(out, fileAlign)
		memory = align(memory, pageSize)
		at := out[h.table+(h.count+i)*headerLength:]
		clear(at[:headerLength])
		copy(at[:8], s.Name)
		put(at[8:], uint32(len(s.Data)))
		put(at[12:], uint32(memory))
		put(at[16:], uint32(align(len(s.Data), fileAlign)))
		put(at[20:], uint32(len(out)))
		put(at[36:], readable)
		out = append(out, s.Data...)
		memory += len(s.Data)
	}
	out = pad(out, fileAlign)
	pe := out[h.pe:]
	binary.LittleEndian.PutUint16(pe[sectionCount:], uint16(h.count+len(sections)))
	put(pe[symbolTable:], 0)
	put(pe[symbolTable+4:], 0)
	put(pe[initializedSize:], binary.LittleEndian.Uint32(pe[initializedSize:])+uint32(len(out)-end))
	put(pe[imageSize:], uint32(align(memory, pageSize)))
	put(pe[checksum:], 0)
	return out, nil
}

// extent is where the sections end in memory and in the file.
func (h header) extent(b []byte) (memory, file int) {
	file = h.end
	for i := range h.count {
		s := b[h.table+i*headerLength:]
		u := func(at int) int { return int(binary.LittleEndian.Uint32(s[at:])) }
		memory = max(memory, u(12)+max(u(8), u(16)))
		file = max(file, u(20)+u(16))
	}
	return memory, file
}

func align(n, to int) int { return (n + to - 1) / to * to }

func pad(b []byte, to int) []byte { return append(b, make([]byte, align(len(b), to)-len(b))...) }

// Read returns the content of the named section, at most limit bytes of it. The
// sections' headers are all that it relies on.
func Read(r io.ReaderAt, name string, limit int) ([]byte, error) {
	s, err := section(r, name)
	if err != nil {
		return nil, err
	}
	out := make([]byte, min(s.Size(), int64(limit)))
	if _, err := io.ReadFull(s, out); err != nil {
		return nil, fmt.Errorf("read section %s: %w", name, err)
	}
	return out, nil
}

// section finds the named section.
func section(r io.ReaderAt, name string) (*io.SectionReader, error) {
	b := make([]byte, maxHeader)
	n, err := r.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	h, err := parseHeader(b[:n])
	if err != nil {
		return nil, err
	}
	for i := range h.count {
		s := b[h.table+i*headerLength:]
		if strings.TrimRight(string(s[:8]), "\x00") == name {
			return io.NewSectionReader(r, int64(binary.LittleEndian.Uint32(s[20:])), int64(binary.LittleEndian.Uint32(s[8:]))), nil
		}
	}
	return nil, fmt.Errorf("read EFI program: %w %s; it is no firmware of ours", errNoSection, name)
}

var errNoSection = errors.New("no section")
