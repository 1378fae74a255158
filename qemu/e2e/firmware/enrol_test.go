package firmware

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/firmware/secureboot"
	"wirepatch/images/disk"
)

// newKey makes a key for Secure Boot.
func newKey(t *testing.T, name string) *secureboot.Key {
	t.Helper()
	dir := t.TempDir()
	if err := secureboot.Make(dir, name, time.Now()); err != nil {
		t.Fatal(err)
	}
	k, err := secureboot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// carrying is what a firmware that is signed with the key has beside a plain one.
func carrying(t *testing.T, k *secureboot.Key) []cpio.Record {
	t.Helper()
	dir := secureboot.Folder[1:]
	out := []cpio.Record{cpio.Directory(dir, 0o755), cpio.StaticFile(dir+"/"+secureboot.EnrolFile, string(k.Certificate.Raw), 0o644)}
	for _, v := range secureboot.Variables {
		update, err := k.Enrolment(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, cpio.StaticFile(dir+"/"+v.Name+".auth", string(update), 0o644))
	}
	return out
}

// TestEnrol: a machine in setup mode is asked on the console whether it is to
// trust the firmware's key. Then Secure Boot is on, what the TPM has sealed is
// still open, and another's firmware does not start.
func TestEnrol(t *testing.T) {
	t.Parallel()
	own, foreign := newKey(t, "Example Ltd"), newKey(t, "somebody else")
	sign := func(k *secureboot.Key, b []byte) []byte {
		out, err := k.Sign(bytes.Clone(b))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	m := newMachine(t)
	m.config.SecureBoot = true
	tpm := m.folder("t1")
	image := sign(own, variant{version: "0.1.0", over: carrying(t, own)}.build(t))
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": image})
	files := m.files(map[string][]byte{"wirepatch_0.1.0.efi": image})

	t.Log("a loader that the key did not sign: the machine would not start any more")
	m.chip(tpm)
	m.on()
	m.wait(`secure boot: setup mode`)
	g := m.waitAll(`certificate SHA-256 ([0-9a-f]{64})`, `19 Secure Boot\s+> `)
	m.typed("19")
	m.wait(`Type yes`)
	m.typed("yes")
	m.wait(`the machine would not start any more: EFI/BOOT/BOOTX64.EFI: it is not signed`)
	m.powerOff()

	t.Log("all is signed: the key is enrolled")
	for _, n := range []string{"EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"} {
		files[n] = sign(own, files[n])
	}
	m.refill(files)
	m.chip(tpm)
	m.on()
	m.wait(`secure boot: setup mode`)
	sum := sha256.Sum256(own.Certificate.Raw)
	m.waitAll(`certificate SHA-256 `+g[0], `19 Secure Boot\s+> `)
	m.typed("19")
	m.waitAll(`Secure Boot  setup mode`, `Example Ltd`, fmt.Sprintf("%x", sum[:16]), `Type yes`)
	m.typed("yes")
	m.wait(`the key is enrolled; it is in force from the next start on`)
	m.wait(`secure boot: on`)
	m.wait(`secrets: sealed anew, to the Secure Boot state as it is now`)
	m.wait(`certificate SHA-256 %s`, g[0])
	m.powerOff()

	t.Log("another's firmware does not start; the old one is back by itself")
	files["EFI/Linux/wirepatch_0.2.0+3.efi"] = sign(foreign, variant{version: "0.2.0"}.build(t))
	m.refill(files)
	m.chip(tpm)
	m.on()
	m.waitAll(`slot 0\.1\.0 runs, confirmed`, `secure boot: on`, `certificate SHA-256 `+g[0], `forwarding, `)
}

// refill puts other files on the EFI system partition of the machine's disk; the
// data partition stays.
func (m *machine) refill(files map[string][]byte) {
	m.Helper()
	whole := filepath.Join(m.config.Dir, "refill.img")
	if err := disk.Write(whole, files); err != nil {
		m.Fatal(err)
	}
	m.tool("dd", "if="+whole, "of="+m.disk, "bs=1M", "count=289", "conv=notrunc", "status=none")
}
