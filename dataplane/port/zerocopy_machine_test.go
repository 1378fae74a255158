package port

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/images/kernel"
	"wirepatch/images/modules"
)

// cache is where what is fetched lies.
var cache = filepath.Join("..", "..", "out", "cache")

// zeroCopyTime is for each machine of TestZeroCopy, on a busy machine.
const zeroCopyTime = 8 * time.Minute

// rig is what a machine is made of.
type rig struct {
	qemu      []string // the program and its first options
	device    string   // what its wires end in
	driver    string
	suite     string // of Debian's that its kernel is from; "": this machine's
	kernel    string // the meta package
	ever      string // how the program is to be attached
	shared    string // and where memory is to be shared with virtio_net too
	redirects bool   // the driver then sends on what crosses in the kernel
}

// startGuest boots the machine with two wires.
func startGuest(t *testing.T, r rig) *machine {
	t.Helper()
	dir := t.TempDir()
	vmlinux, initrd := guestImage(t, dir, r)
	options := append(slices.Clone(r.qemu[1:]), "-machine", "q35", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-cpu", "max,-cx16", "-m", "512", "-no-reboot",
		"-kernel", vmlinux, "-initrd", initrd, "-append", "console=ttyS0 no_timer_check panic=-1 quiet", "-serial", "stdio")
	var listeners [2]net.Listener
	for i, name := range []string{"a", "b"} {
		socket := filepath.Join(dir, name)
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		listeners[i] = l
		options = append(options, "-netdev", "stream,id="+name+",server=off,addr.type=unix,addr.path="+socket,
			"-device", "pcie-root-port,id=port-"+name+",chassis="+strconv.Itoa(i+1)+",slot="+strconv.Itoa(i+1),
			"-device", r.device+",bus=port-"+name+",netdev="+name)
	}
	q := exec.Command(r.qemu[0], options...)
	console, err := q.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	q.Stderr = &errs
	if err := q.Start(); err != nil {
		t.Fatalf("%v (make setup installs it)", err)
	}
	m := &machine{T: t, serial: &errs, lines: make(chan string, 1000)}
	over := time.AfterFunc(zeroCopyTime, func() { q.Process.Kill() })
	done := make(chan struct{})
	t.Cleanup(func() { over.Stop(); q.Process.Kill(); <-done; q.Wait() })
	go func() {
		defer close(done)
		defer close(m.lines)
		for s := bufio.NewScanner(console); s.Scan(); {
			m.lines <- strings.TrimRight(s.Text(), "\r")
		}
	}()
	for i, l := range listeners {
		if m.wires[i], err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.wires[i].Close() })
		m.wires[i].SetDeadline(time.Now().Add(zeroCopyTime))
	}
	return m
}

// guestImage makes the machine's kernel and initramfs: this test's program and the
// driver.
func guestImage(t *testing.T, dir string, r rig) (vmlinux, initrd string) {
	t.Helper()
	k, err := kernel.Fetch(t.Context(), r.suite, r.kernel, cache, os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s", k.Name, k.Version)
	packed, err := os.ReadFile(k.Vmlinuz)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := kernel.Vmlinux(packed)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := modules.Open(k.Modules)
	if err != nil {
		t.Fatal(err)
	}
	drivers, err := tree.Pick([]string{r.driver})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "port.test")
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the test's program for the machine: %v\n%s", err, out)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	order := ""
	records := []cpio.Record{cpio.Directory("dev", 0o755), cpio.Directory("proc", 0o755), cpio.Directory("sys", 0o755), cpio.Directory("modules", 0o755),
		cpio.CharDev("dev/console", 0o600, 5, 1), cpio.StaticFile("init", string(text), 0o755)}
	for _, m := range drivers {
		order += m.Name + "\n"
		records = append(records, cpio.StaticFile("modules/"+m.Name, string(m.Image), 0o644))
	}
	records = append(records, cpio.StaticFile("modules/order", order, 0o644))
	for i := range records {
		records[i].Ino, records[i].NLink = uint64(i+1), 1
	}
	var b bytes.Buffer
	w := cpio.Newc.Writer(&b)
	if err := cpio.WriteRecords(w, records); err != nil {
		t.Fatal(err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		t.Fatal(err)
	}
	vmlinux, initrd = filepath.Join(dir, "vmlinux"), filepath.Join(dir, "initrd")
	for name, text := range map[string][]byte{vmlinux: plain, initrd: b.Bytes()} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return vmlinux, initrd
}
