package jail

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is also the prisoner.
const asPrisoner = "JAIL_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asPrisoner) != "" {
		if err := prisoner(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestEnter(t *testing.T) {
	c := exec.Command("/proc/self/exe")
	c.Env = []string{asPrisoner + "=1", "TMPDIR=" + t.TempDir()}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// prisoner is root in the tests: what is refused, is refused by the jail alone.
func prisoner() error {
	// A thread that is there before must be in, too.
	early, asked := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		<-asked
		early <- unix.Sethostname([]byte("x"))
	}()
	if err := Enter(); err != nil {
		return err
	}
	close(asked)
	var bad []error
	refused := func(what string, err error) {
		if !errors.Is(err, syscall.EPERM) {
			bad = append(bad, fmt.Errorf("%s: %v; want it refused", what, err))
		}
	}
	refused("of an earlier thread: sethostname", <-early)
	refused("execve", syscall.Exec("/bin/true", []string{"true"}, nil))
	_, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	refused("a packet socket", err)
	_, err = unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	refused("a socket of a virtual machine", err)
	refused("mount", unix.Mount("none", os.TempDir(), "tmpfs", 0, ""))
	refused("unshare", unix.Unshare(unix.CLONE_NEWNS))
	refused("settimeofday", unix.Settimeofday(&unix.Timeval{}))
	refused("ptrace", unix.PtraceAttach(os.Getppid()))
	_, _, errno := unix.Syscall(unix.SYS_BPF, 0, 0, 0)
	refused("bpf", errno)
	_, _, errno = unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
	refused("io_uring", errno)
	return errors.Join(append(bad, work())...)
}

// work is what the page does all day.
func work() error {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil && !strings.Contains(string(status), "Seccomp:\t2") {
		err = errors.New("no filter is in force")
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(os.TempDir(), "file"), []byte("x"), 0o600)
	}
	if err != nil {
		return err
	}
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		address := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": filepath.Join(os.TempDir(), "s")}[network]
		l, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		l.Close()
	}
	if _, err := net.InterfaceAddrs(); err != nil {
		return err
	}
	done := make(chan struct{})
	for range 50 { // new threads
		go func() { runtime.LockOSThread(); time.Sleep(time.Millisecond); done <- struct{}{} }()
	}
	for range 50 {
		<-done
	}
	return nil
}
