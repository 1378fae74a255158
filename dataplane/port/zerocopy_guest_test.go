package port

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/packet"
)

// The machine of TestZeroCopy has the test's own program as its init, and that
// starts itself once more as the engine, as often as it is killed: first as one that
// treats virtio_net as it is treated, then as ones that share memory with it.
const engineRole = "WIREPATCH_TEST_ENGINE"

func TestMain(m *testing.M) {
	var err error
	switch {
	case os.Getenv(engineRole) != "":
		err = echo()
	case os.Getpid() == 1:
		err = guest()
		fmt.Println("guest:", err)
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	default:
		os.Exit(m.Run())
	}
	fmt.Println("engine:", err)
	os.Exit(1)
}

func guest() error {
	for _, m := range []struct{ kind, dir string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"bpf", "/sys/fs/bpf"}} {
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	order, err := os.ReadFile("/modules/order")
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(order)) {
		f, err := os.Open("/modules/" + name)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
		f.Close()
	}
	for role := "as ever"; ; role = "sharing" {
		c := exec.Command("/init")
		c.Env, c.Stdout, c.Stderr = []string{engineRole + "=" + role}, os.Stdout, os.Stderr
		err := c.Run()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Exited() {
			return fmt.Errorf("the engine ended by itself: %w", err)
		}
	}
}

// Frames that the engine does something about, by how their payload begins,
// before it sends them on.
var (
	askDown = []byte("set port B down and up again")
	askDie  = []byte("die of SIGKILL")
)

// echo is an engine that sends what comes up on one side out of the other.
func echo() error {
	if os.Getenv(engineRole) == "sharing" {
		sharing = append(sharing, "virtio_net")
	}
	p, err := Open(Config{A: "eth0", B: "eth1", PinDir: "/sys/fs/bpf/wirepatch", Services: protected, Attach: "xdp"})
	if err != nil {
		return err
	}
	for i := range p.sides {
		p.linked(Side(i)) // igb starts anew when it is to run XDP
	}
	fmt.Printf("attached: %s %s\n", p.Attached(), p.Reason())
	buf := make([]byte, BufferSize)
	for {
		p.Heartbeat()
		if _, err := p.Wait(StaleAfter / 8); err != nil {
			return err
		}
		for _, s := range []Side{A, B} {
			for {
				_, frame, err := p.Recv(s, buf)
				if errors.Is(err, ErrAgain) {
					break
				}
				if err != nil {
					return err
				}
				switch {
				case bytes.Contains(frame, askDie):
					unix.Kill(os.Getpid(), unix.SIGKILL)
				case bytes.Contains(frame, askDown):
					if err := downAndUp(p.sides[B].name); err != nil {
						return err
					}
					p.linked(B)
				}
				if err := p.Send(s.Other(), packet.VNet{}, frame); err != nil {
					fmt.Println("send:", err)
				}
			}
		}
	}
}

// linked waits for a port's link, without which the kernel drops what is sent.
func (p *Port) linked(s Side) {
	for {
		p.Heartbeat()
		if up, err := os.ReadFile("/sys/class/net/" + p.sides[s].name + "/carrier"); err == nil && string(up) == "1\n" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func downAndUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetDown(l); err != nil {
		return err
	}
	time.Sleep(10 * time.Millisecond) // sends run into it
	return netlink.LinkSetUp(l)
}
