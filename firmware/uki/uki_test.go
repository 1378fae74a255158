package uki

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"
)

// stub is a small PE32+ program with one section and room for three more headers.
func stub() []byte {
	b := make([]byte, 0x200+0x200)
	copy(b, "MZ")
	le := binary.LittleEndian
	le.PutUint32(b[0x3c:], 0x40)
	p := b[0x40:]
	copy(p, "PE\x00\x00\x64\x86")
	le.PutUint16(p[sectionCount:], 1)
	le.PutUint16(p[optionalSize:], 0xf0)
	le.PutUint16(p[optional:], 0x20b)
	le.PutUint32(p[alignments:], 0x200)
	le.PutUint32(p[alignments+4:], 0x200)
	le.PutUint32(p[headersSize:], 0x200)
	le.PutUint32(p[optional+108:], 16)
	s := b[0x40+optional+0xf0:]
	copy(s, ".text")
	le.PutUint32(s[8:], 0x123)
	le.PutUint32(s[12:], 0x4000)
	le.PutUint32(s[16:], 0x200)
	le.PutUint32(s[20:], 0x200)
	return append(b, "debug symbols"...)
}

func TestAdd(t *testing.T) {
	kernel := bytes.Repeat([]byte("kernel"), 1000)
	about := About{Version: "1.2.3", Board: "a-box"}
	got, err := Add(stub(), Section{OSRelease, about.Text()}, Section{Linux, kernel})
	if err != nil {
		t.Fatal(err)
	}
	// The standard library's reader is the judge.
	f, err := pe.NewFile(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := f.Section(Linux).Data(); err != nil || !bytes.Equal(b[:len(kernel)], kernel) {
		t.Errorf("section %s has %d bytes, %v; want the kernel", Linux, len(b), err)
	}
	end := uint32(0)
	for _, s := range f.Sections {
		if s.VirtualAddress < end {
			t.Errorf("section %s begins at %#x in memory; the one before ends at %#x", s.Name, s.VirtualAddress, end)
		}
		end = s.VirtualAddress + s.VirtualSize
	}
	if size := f.OptionalHeader.(*pe.OptionalHeader64).SizeOfImage; size < end {
		t.Errorf("image size = %#x; want at least %#x", size, end)
	}
	if bytes.Contains(got, []byte("debug symbols")) {
		t.Error("the symbols of the stub are still there")
	}
	if a, err := ReadAbout(bytes.NewReader(got)); err != nil || a != about {
		t.Errorf("ReadAbout = %+v, %v; want %+v", a, err, about)
	}
	if b, err := Read(bytes.NewReader(got), Linux, 6); err != nil || string(b) != "kernel" {
		t.Errorf("Read = %q, %v; want the first 6 bytes", b, err)
	}
}

func TestFaults(t *testing.T) {
	s := Section{Linux, []byte("x")}
	if _, err := Add(stub(), s, s, s, s); err == nil || !strings.Contains(err.Error(), "room for") {
		t.Errorf("Add of more than there is room for = %v; want an error that says so", err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte(strings.Repeat("text ", 200)), "cut short": stub()[:0x100]} {
		if _, err := Add(b, s); err == nil {
			t.Errorf("Add to %s = nil; want an error", name)
		}
		if _, err := ReadAbout(bytes.NewReader(b)); err == nil {
			t.Errorf("ReadAbout of %s = nil; want an error", name)
		}
	}
	if _, err := ReadAbout(bytes.NewReader(stub())); err == nil || !strings.Contains(err.Error(), "no section .osrel") {
		t.Errorf("ReadAbout of another program = %v; want it to say that it is none of ours", err)
	}
}

func FuzzReadAbout(f *testing.F) {
	good, _ := Add(stub(), Section{OSRelease, About{"1", "b"}.Text()})
	f.Add(good)
	f.Add(stub())
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ReadAbout(bytes.NewReader(b))
		Add(b, Section{Linux, []byte("x")})
	})
}
