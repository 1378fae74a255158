package firmware

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"wirepatch/firmware/secureboot"
	"wirepatch/images/disk"
)

// snakeoil returns the key that Debian's UEFI variables for tests trust.
func snakeoil(t *testing.T) *secureboot.Key {
	t.Helper()
	dir := t.TempDir()
	const from = "/usr/share/ovmf/PkKek-1-snakeoil"
	for _, c := range [][]string{
		{"pkcs8", "-topk8", "-nocrypt", "-in", from + ".key", "-passin", "pass:snakeoil", "-out", filepath.Join(dir, "secureboot.key")},
		{"x509", "-in", from + ".pem", "-out", filepath.Join(dir, "secureboot.crt")},
	} {
		if out, err := exec.Command("openssl", c...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %q: %v\n%s", c, err, out)
		}
	}
	k, err := secureboot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestSecureBoot: a machine that checks signatures starts what was signed, and
// nothing else.
func TestSecureBoot(t *testing.T) {
	t.Parallel()
	k := snakeoil(t)
	sign := func(b []byte) []byte {
		out, err := k.Sign(b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	m := newMachine(t)
	vars, err := os.ReadFile("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd")
	if err != nil {
		t.Fatal(err)
	}
	m.config.Vars, m.config.SecureBoot = filepath.Join(m.config.Dir, "vars.fd"), true
	if err := os.WriteFile(m.config.Vars, vars, 0o644); err != nil {
		t.Fatal(err)
	}

	t.Log("nothing is signed: nothing starts")
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": good()})
	m.on()
	m.wait(`(Access Denied|Security Violation|SecureBoot|rejected)`)
	m.off()

	t.Log("boot loader and firmware are signed: they start")
	files := m.files(map[string][]byte{"wirepatch_0.1.0.efi": sign(bytes.Clone(good()))})
	for _, n := range []string{"EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"} {
		files[n] = sign(files[n])
	}
	if err := disk.Write(m.disk, files); err != nil {
		t.Fatal(err)
	}
	m.on()
	m.wait(`slot 0.1.0 runs, confirmed`)
	m.wait(`firmware: boot options are set`)
	m.powerOff()

	t.Log("a new slot has bytes that were not signed: the old one is back by itself")
	harmed := sign(variant{version: "0.2.0"}.build(t))
	harmed[len(harmed)/2] ^= 1
	files["EFI/Linux/wirepatch_0.2.0+3.efi"] = harmed
	if err := disk.Write(m.disk, files); err != nil {
		t.Fatal(err)
	}
	m.on()
	m.wait(`slot 0.1.0 runs, confirmed`)
	m.wait(`forwarding, `)
}
