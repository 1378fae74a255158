package firmware

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wirepatch/firmware/uki"
)

// chip gives the machine, which is off, a TPM, whose state lies in dir; it is on
// from now on, and goes off with the machine.
func (m *machine) chip(dir string) {
	m.Helper()
	if m.tpm != nil { // until that has gone it holds its state, and its socket is there
		late := time.AfterFunc(time.Minute, func() { m.tpm.Process.Kill() })
		m.tpm.Wait()
		late.Stop()
	}
	m.config.TPM = filepath.Join(dir, "c")
	if err := os.Remove(m.config.TPM); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.Fatal(err)
	}
	c := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir, "--ctrl", "type=unixio,path="+m.config.TPM, "--terminate")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		m.Fatalf("%v (make setup installs it)", err)
	}
	m.tpm = c
	m.Cleanup(func() { c.Process.Kill(); c.Wait() })
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(m.config.TPM); err == nil {
			return
		}
		if time.Now().After(end) {
			m.Fatalf("swtpm does not listen: %s", said.String())
		}
	}
}

func (m *machine) folder(name string) string {
	m.Helper()
	dir := filepath.Join(m.config.Dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		m.Fatal(err)
	}
	return dir
}

// TestTPM: a machine with a TPM has in it what the firmware predicts, and the
// page's key and users lie sealed on its disk. In another machine they are not
// given away, the console says what to do, and the recovery code opens them.
func TestTPM(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": good()})
	own, foreign := m.folder("t1"), m.folder("t2")
	register, err := uki.Measure(bytes.NewReader(good()))
	if err != nil {
		t.Fatal(err)
	}

	m.chip(own)
	m.on()
	g := m.waitAll(`recovery code: ([0-9a-z-]{49})`, `certificate SHA-256 ([0-9a-f]{64})`, `forwarding, `,
		fmt.Sprintf(`measurement: the TPM's PCR 11 is that of firmware 0\.1\.0: %x`, register))
	code, certificate := g[0], g[1]

	t.Log("its own TPM opens them again, also what waited to be imported, and nothing lay open meanwhile")
	m.shell()
	m.run("echo correct horse battery | settings export /data/box.export")
	m.typed("echo correct horse battery | settings import /data/box.export")
	m.wait(`import of settings asked for by`)
	m.waitAll(`settings: the import is in force: take-page`, `management https.* certificate SHA-256 `+certificate)
	m.powerOff()
	m.sealed("PRIVATE KEY")

	t.Log("a machine with another does not")
	m.chip(foreign)
	m.on()
	m.waitAll(`secrets: this machine's TPM does not open them`, `type the recovery code on a console`, `Type the recovery code, or factory reset: `, `forwarding, `)
	m.typed(code[:44] + "0000")
	m.wait(`that is no recovery code`)
	m.wait(`Type the recovery code`)

	t.Log("with the recovery code it does")
	m.typed(code)
	m.wait(`opened by the recovery code and sealed to this machine's TPM`)
	m.wait(`management https.* certificate SHA-256 %s`, certificate)
}

// sealed wants none of these words on the disk, while the machine is off.
func (m *machine) sealed(words ...string) {
	m.Helper()
	f, err := os.Open(m.disk)
	if err != nil {
		m.Fatal(err)
	}
	defer f.Close()
	// The data partition: behind the firmware, which has such words in it.
	info, err := f.Stat()
	if err != nil {
		m.Fatal(err)
	}
	const before = 289 << 20
	data, err := io.ReadAll(io.NewSectionReader(f, before, info.Size()-before))
	if err != nil {
		m.Fatal(err)
	}
	if !bytes.Contains(data, []byte("wirepatch-data")) {
		m.Fatal("that is not the data partition")
	}
	for _, w := range words {
		if at := bytes.Index(data, []byte(w)); at >= 0 {
			m.Errorf("%q lies open on the disk: %s", w, fmt.Sprintf("%.80q", data[max(0, at-20):]))
		}
	}
}
