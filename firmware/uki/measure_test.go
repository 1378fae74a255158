package uki

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// TestMeasure: name and content of each section that is there, in the stub's
// order, which is not the file's. That a machine measures the same is a test in a
// virtual machine with a TPM.
func TestMeasure(t *testing.T) {
	program, err := Add(stub(), Section{OSRelease, []byte("release")}, Section{Uname, []byte("6.12")}, Section{Linux, []byte("kernel")})
	if err != nil {
		t.Fatal(err)
	}
	var want [32]byte
	for _, piece := range []string{".linux\x00", "kernel", ".osrel\x00", "release"} {
		sum := sha256.Sum256([]byte(piece))
		want = sha256.Sum256(append(want[:], sum[:]...))
	}
	if got, err := Measure(bytes.NewReader(program)); err != nil || got != want {
		t.Errorf("Measure = %x, %v; want %x", got, err, want)
	}
	if _, err := Measure(bytes.NewReader(program[:len(program)-0x200])); err == nil {
		t.Error("Measure of an image that is cut short = nil; want an error")
	}
}
