// Package netns makes network namespaces for tests, and the bed that most of
// them need: a client's namespace, the box's and a server's, joined by two veth
// pairs. It needs root.
package netns

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// NS is a network namespace without a name: it ends with its last user.
type NS struct{ handle netns.NsHandle }

// New makes a namespace with its loopback up.
func New(t testing.TB) *NS {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root")
	}
	n := &NS{}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		var err error
		if n.handle, err = netns.New(); err == nil {
			err = up("lo")
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	t.Cleanup(func() { n.handle.Close() })
	return n
}

// Do calls f on a thread that is in the namespace, and waits for it. Sockets
// that f opens and processes that it starts stay in the namespace.
func (n *NS) Do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		old, err := netns.Get()
		if err != nil {
			done <- err
			return
		}
		defer old.Close()
		if err := netns.Set(n.handle); err != nil {
			done <- err
			return
		}
		err = f()
		if back := netns.Set(old); back != nil {
			runtime.LockOSThread() // twice locked, once unlocked: the thread is not used again
		}
		done <- err
	}()
	return <-done
}

// Must is Do, and ends the test on an error.
func (n *NS) Must(t testing.TB, f func() error) {
	t.Helper()
	if err := n.Do(f); err != nil {
		t.Fatal(err)
	}
}

// Start starts a process in the namespace.
func (n *NS) Start(c *exec.Cmd) error { return n.Do(c.Start) }

// Veth makes a pair of interfaces, one end in each namespace, with these
// hardware addresses, both down.
func Veth(t testing.TB, a *NS, nameA, macA string, b *NS, nameB, macB string) {
	t.Helper()
	vethOf(t, 1, a, nameA, macA, b, nameB, macB)
}

// vethOf makes a pair with so many queues each way.
func vethOf(t testing.TB, queues int, a *NS, nameA, macA string, b *NS, nameB, macB string) {
	t.Helper()
	a.Must(t, func() error {
		at := netlink.NewLinkAttrs()
		at.Name, at.NumTxQueues, at.NumRxQueues = nameA, queues, queues
		at.HardwareAddr = mac(macA)
		v := &netlink.Veth{LinkAttrs: at, PeerName: nameB, PeerHardwareAddr: mac(macB), PeerNamespace: netlink.NsFd(b.handle),
			PeerNumTxQueues: uint32(queues), PeerNumRxQueues: uint32(queues)}
		if err := netlink.LinkAdd(v); err != nil {
			return fmt.Errorf("make veth pair %s, %s: %w", nameA, nameB, err)
		}
		return nil
	})
}

func up(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// SetLink sets a port up or down.
func (n *NS) SetLink(t testing.TB, name string, on bool) {
	t.Helper()
	n.Must(t, func() error {
		if on {
			return up(name)
		}
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(l)
	})
}

// MountBPF mounts a BPF file system in a folder of the test's own and returns
// the folder.
func MountBPF(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		t.Fatalf("mount BPF file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount BPF file system: %v", err)
		}
	})
	return dir
}
