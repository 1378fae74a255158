package secureboot

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program returns the smallest EFI program that can be signed.
func program(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../update/testdata/stub.efi")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, 1, 2, 3)
}

func key(t testing.TB) (*Key, string) {
	t.Helper()
	dir := t.TempDir()
	if err := Make(dir, "test", time.Unix(1800000000, 0)); err != nil {
		t.Fatal(err)
	}
	k, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k, dir
}

// TestSign: the verifier of others takes what was signed, and nothing else.
func TestSign(t *testing.T) {
	k, dir := key(t)
	_, other := key(t)
	signed, err := k.Sign(program(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := k.Sign(signed)
	if err != nil || !bytes.Equal(signed, again) {
		t.Errorf("signing what is signed gives %d bytes, %v; want the same %d", len(again), err, len(signed))
	}
	harmed := bytes.Clone(signed)
	harmed[0x210] ^= 1
	file := filepath.Join(t.TempDir(), "p.efi")
	for _, tt := range []struct {
		name, certificate string
		program           []byte
		want              bool
	}{
		{"what was signed", dir, signed, true},
		{"what was changed", dir, harmed, false},
		{"another's", other, signed, false},
	} {
		if err := os.WriteFile(file, tt.program, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sbverify", "--cert", filepath.Join(tt.certificate, certificateFile), file).CombinedOutput()
		if (err == nil) != tt.want {
			t.Errorf("sbverify of %s: %v; want taken: %v\n%s", tt.name, err, tt.want, out)
		}
	}
}

func TestFaults(t *testing.T) {
	k, dir := key(t)
	for _, b := range [][]byte{nil, []byte("MZ"), program(t)[:0xe0]} {
		if _, err := k.Sign(b); err == nil {
			t.Errorf("Sign of %d bytes that are no program = nil; want an error", len(b))
		}
	}
	if err := Make(dir, "test", time.Now()); err == nil {
		t.Error("Make over a key = nil; want an error")
	}
	_, other := key(t)
	if err := os.Rename(filepath.Join(other, certificateFile), filepath.Join(dir, certificateFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil {
		t.Error("Read of a key with another's certificate = nil; want an error")
	}
}

func FuzzSign(f *testing.F) {
	k, _ := key(f)
	f.Add(program(f))
	f.Fuzz(func(t *testing.T, b []byte) { k.Sign(b) })
}

// TestVerify: a box takes what its own key signed, and nothing else.
func TestVerify(t *testing.T) {
	k, _ := key(t)
	other, _ := key(t)
	signed, err := k.Sign(program(t))
	if err != nil {
		t.Fatal(err)
	}
	harmed, torn := bytes.Clone(signed), bytes.Clone(signed)
	harmed[0x210] ^= 1
	torn[len(torn)-40] ^= 1
	for _, tt := range []struct {
		name    string
		program []byte
		by      *Key
		want    string
	}{
		{"what was signed", signed, k, ""},
		{"what was changed", harmed, k, "not what was signed"},
		{"another's", signed, other, "another key"},
		{"what is not signed", program(t), k, "not signed"},
		{"what has a torn signature", torn, k, "another key"},
		{"what was cut", signed[:len(signed)-100], k, "damaged"},
		{"no program", []byte("MZ"), k, "no EFI program"},
	} {
		err := Verify(tt.program, tt.by.Certificate)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Verify of %s = %v; want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	k, _ := key(f)
	signed, err := k.Sign(program(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(program(f))
	f.Fuzz(func(t *testing.T, b []byte) { Verify(b, k.Certificate) })
}

// TestEnrolment: what machines in setup mode are given is a certificate behind a
// time and a signature, as the specification has it. Its judge is OVMF.
func TestEnrolment(t *testing.T) {
	k, _ := key(t)
	for _, v := range Variables {
		b, err := k.Enrolment(v)
		if err != nil {
			t.Fatal(err)
		}
		length := int(binary.LittleEndian.Uint32(b[16:]))
		list := b[16+length:]
		if size := int(binary.LittleEndian.Uint32(list[16:])); size != len(list) || !bytes.Equal(list[44:], k.Certificate.Raw) {
			t.Errorf("%s: a list of %d bytes that says %d; want the certificate at its end", v.Name, len(list), size)
		}
		if again, err := k.Enrolment(v); err != nil || !bytes.Equal(b, again) {
			t.Errorf("%s: made twice it differs (%v)", v.Name, err)
		}
	}
	if _, err := k.Enrolment(Variable{"db", "nobody"}); err == nil {
		t.Error("Enrolment into a stranger's variable = nil; want an error")
	}
}
