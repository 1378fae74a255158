package port

import (
	"bytes"
	"encoding/binary"
	args "flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"testing"

	"wirepatch/dataplane/internal/netns"
	"wirepatch/images/later"
)

var zeroCopy = args.Bool("zero-copy", false, "run TestZeroCopy, which fetches a kernel from trixie-backports and a QEMU from bookworm-backports")

// TestZeroCopy has the sockets run without copies, which no driver of this machine
// and of the image's kernel does: in a virtual machine with a later kernel, whose
// virtio_net shares their memory if the device's rings are mapped as hardware's, and
// whose igb does for a card that QEMU emulates. Frames of protected services of all
// lengths go through an engine there in both directions, many times as many as there
// are buffers; a port goes down and up, and the engine is killed. Before that, as the
// appliance is: with copies on virtio_net, which could not send on what crosses in the
// kernel without, as igb does. On the image's kernel igb gets copies.
func TestZeroCopy(t *testing.T) {
	if !*zeroCopy {
		t.Skip("virtio_net has no zero copy before Linux 6.13, igb before 6.14; with -zero-copy a later kernel is fetched and started")
	}
	qemu, err := later.QEMU(t.Context(), cache, os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("virtio_net", func(t *testing.T) {
		throughZeroCopy(t, rig{qemu: []string{"qemu-system-x86_64"}, device: "virtio-net-pci,romfile=,disable-legacy=on,iommu_platform=on",
			driver: "virtio_net", suite: "trixie-backports", kernel: "linux-image-cloud-amd64", // small, and has the driver
			ever: "xdp, copy", shared: "xdp, zero copy"})
	})
	t.Run("igb", func(t *testing.T) {
		throughZeroCopy(t, rig{qemu: qemu, device: "igb,romfile=", driver: "igb", suite: "trixie-backports", kernel: "linux-image-amd64",
			ever: "xdp, zero copy", shared: "xdp, zero copy", redirects: true})
	})
	t.Run("igb before 6.14", func(t *testing.T) {
		throughZeroCopy(t, rig{qemu: qemu, device: "igb,romfile=", driver: "igb", kernel: "linux-image-6.12-amd64",
			ever: "xdp, copy", shared: "xdp, copy", redirects: true})
	})
}

func throughZeroCopy(t *testing.T, r rig) {
	const rounds, batch = 200, 100 // 20000 frames each way, at 2048 to 4096 buffers
	m := startGuest(t, r)
	past := func(from, n int) {
		for round := range n {
			m.cross(from+round, batch, unprotected)
		}
	}
	m.attached(r.ever)
	past(0, 1)
	m.cross(0, batch, ofService)
	m.send(A, fromClient(0, askDie))
	m.attached(r.shared)
	for round := range rounds {
		m.cross(round, batch, ofService)
	}
	if r.redirects {
		past(0, rounds)
	}
	m.send(A, fromClient(0, askDown))
	m.receive(B, fromClient(0, askDown))
	for round := range 20 {
		m.cross(rounds+round, batch, ofService)
	}
	if r.redirects {
		past(rounds, 20)
	}
	m.send(A, fromClient(0, askDie))
	m.attached(r.shared)
	for round := range 60 {
		m.cross(2*rounds+round, batch, ofService)
	}
	if r.redirects {
		past(2*rounds, 60)
	}
}

// ofService are the n-th frames from the client to the protected service and back.
func ofService(n int, payload []byte) (q, a []byte) {
	return fromClient(n, payload), fromServer(n, payload)
}

// unprotected are frames between them that cross in the kernel: an engine that saw
// one would die.
func unprotected(n int, payload []byte) (q, a []byte) {
	rest := append(u16(0x88b5), fmt.Appendf(nil, "%s %d %s", payload, n, askDie)...) // a type for experiments
	return join(toServer, rest), join(macs(netns.ClientMAC, netns.ServerMAC), rest)
}

// fromClient is a frame from the client to the protected service, with n in it.
func fromClient(n int, payload []byte) []byte {
	return join(toServer, ip4(6, netns.Client4, netns.Server4, 0, nil, u16(5000, 80, 0, 1, 0, 1, 0x5010, 1000, 0, 0), fmt.Appendf(nil, "%s %d ", payload, n)))
}

// fromServer is one from the service to the client.
func fromServer(n int, payload []byte) []byte {
	return join(macs(netns.ClientMAC, netns.ServerMAC), ip4(6, netns.Server4, netns.Client4, 0, nil, u16(80, 5000, 0, 1, 0, 1, 0x5010, 1000, 0, 0), fmt.Appendf(nil, "%s %d ", payload, n)))
}

// machine is the virtual machine between two wires.
type machine struct {
	*testing.T
	wires  [2]net.Conn
	serial *bytes.Buffer // what the console has said, of which attached has read a part
	lines  chan string
}

// cross sends frames that pair makes both ways and wants them on the other side, in order.
func (m *machine) cross(round, n int, pair func(n int, payload []byte) (q, a []byte)) {
	m.Helper()
	fill := bytes.Repeat([]byte("long "), 300)
	of := func(i int) (q, a []byte) {
		return pair(round*n+i, fill[:(round*n+i)*37%1440]) // up to an MTU of 1500
	}
	for i := range n {
		q, a := of(i)
		m.send(A, q)
		m.send(B, a)
	}
	for i := range n {
		q, a := of(i)
		m.receive(B, q)
		m.receive(A, a)
	}
}

// padded is a frame in the least length that an Ethernet card sends.
func padded(frame []byte) []byte {
	return append(slices.Clone(frame), make([]byte, max(60-len(frame), 0))...)
}

// send puts a frame on a wire, as QEMU's stream network has it: length, then bytes.
func (m *machine) send(s Side, frame []byte) {
	m.Helper()
	frame = padded(frame)
	if _, err := m.wires[s].Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		m.Fatalf("send on wire %s: %v\n%s", s, err, m.said())
	}
}

func (m *machine) receive(s Side, want []byte) {
	m.Helper()
	want = padded(want)
	var length [4]byte
	_, err := io.ReadFull(m.wires[s], length[:])
	got := make([]byte, binary.BigEndian.Uint32(length[:]))
	if err == nil {
		_, err = io.ReadFull(m.wires[s], got)
	}
	if err != nil || !bytes.Equal(got, want) {
		m.Fatalf("wire %s brings %q, %v; want %q\n%s", s, got, err, want, m.said())
	}
}

// attached waits until an engine says how it is attached.
func (m *machine) attached(want string) {
	m.Helper()
	for line := range m.lines {
		fmt.Fprintln(m.serial, line)
		if how, ok := bytes.CutPrefix([]byte(line), []byte("attached: ")); ok {
			if got := string(bytes.TrimSpace(how)); got != want {
				m.Fatalf("attached: %s; want %s\n%s", got, want, m.said())
			}
			return
		}
	}
	m.Fatalf("the machine has ended\n%s", m.said())
}

func (m *machine) said() string {
	for {
		select {
		case line, ok := <-m.lines:
			if ok {
				fmt.Fprintln(m.serial, line)
				continue
			}
		default:
		}
		return m.serial.String()
	}
}
