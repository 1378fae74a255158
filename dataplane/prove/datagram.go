package prove

import (
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"wirepatch/dataplane/internal/netns"
)

// answerLimit is how long a datagram's answer may take before it is asked for anew.
const answerLimit = 5 * time.Second

// smallMTU makes the client's kernel send in fragments what is longer.
const smallMTU, usualMTU = 84, 1500

// attempts is how often an exchange is tried whose answer does not come: servers
// lose a datagram now and then, and clients begin anew.
const attempts = 3

// datagrams is exchange for a server over UDP: each step is a datagram from the
// same socket. What came is written in hexadecimal, one datagram a line. Whether
// the server lives is asked from another socket, once it has come to rest.
func (w *world) datagrams(t *trial, how delivery, seed uint64) (a answer, err error) {
	if how == split {
		if err := w.mtu(smallMTU); err != nil {
			return a, err
		}
		defer func() { err = errors.Join(err, w.mtu(usualMTU)) }()
	}
	for i := range attempts {
		a = answer{}
		if err := w.attempt(t, how, seed, &a); err != nil {
			return a, err
		}
		if a.end != waiting || !w.server.alive() {
			break
		}
		if i < attempts-1 {
			w.repeated++
		}
	}
	a.exited = !w.server.alive()
	return a, w.mend(&a)
}

func (w *world) attempt(t *trial, how delivery, seed uint64, a *answer) error {
	c, err := w.dialUDP()
	if err != nil {
		return err
	}
	defer c.Close()
	w.sendAndAwait(c, t, how, rand.New(rand.NewPCG(seed, uint64(how))), a)
	w.server.rest(w.ctx)
	a.dead = !w.answers()
	w.take(c, a, 50*time.Millisecond, func() bool { return false }) // it is there: the server has answered what was sent later
	return nil
}

// sendAndAwait sends the steps of a trial: those up to one that waits for an
// answer go together, as the delivery has it.
func (w *world) sendAndAwait(c *net.UDPConn, t *trial, how delivery, rng *rand.Rand, a *answer) {
	a.end = kept
	var batch [][]byte
	for i := range t.steps {
		s := &t.steps[i]
		batch = append(batch, s.send)
		if s.wait == nil && i < len(t.steps)-1 {
			continue
		}
		for _, d := range arranged(batch, how, rng) {
			c.Write(d) // who is not there any more answers nothing
		}
		batch = nil
		if s.wait == nil {
			continue
		}
		begin := len(a.got)
		if a.end = w.take(c, a, min(w.limit, answerLimit), func() bool { return s.wait.Match(a.got[begin:]) }); a.end != kept {
			return
		}
	}
}

// arranged is how datagrams are sent that follow each other.
func arranged(batch [][]byte, how delivery, rng *rand.Rand) (out [][]byte) {
	switch how {
	case disorder:
		for _, i := range rng.Perm(len(batch)) {
			out = append(out, batch[i])
		}
		return out
	case doubled:
		for _, d := range batch {
			out = append(out, d, d)
		}
		return out
	case lost:
		for _, d := range batch {
			if rng.IntN(2) == 0 {
				out = append(out, d)
			}
		}
		return append(out, batch...)
	}
	return batch
}

// take reads datagrams until it is enough or the limit is over.
func (w *world) take(c *net.UDPConn, a *answer, limit time.Duration, enough func() bool) string {
	c.SetReadDeadline(time.Now().Add(limit))
	buf := make([]byte, 64<<10)
	for !enough() {
		n, err := c.Read(buf)
		switch {
		case err == nil:
			a.got = append(a.got, hex.EncodeToString(buf[:n])+"\n"...)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return waiting
		default:
			return refused
		}
	}
	return kept
}

// answers asks on a new socket what is answered by a server that is well.
func (w *world) answers() bool {
	t := w.proof.trial("", &w.proof.Harmless[0], nil)
	for range attempts {
		c, err := w.dialUDP()
		if err != nil || !w.server.alive() {
			return false
		}
		var a answer
		w.sendAndAwait(c, t, whole, rand.New(rand.NewPCG(0, 0)), &a)
		c.Close()
		if len(a.got) > 0 {
			return true
		}
	}
	return false
}

func (w *world) dialUDP() (c *net.UDPConn, err error) {
	to := &net.UDPAddr{IP: net.ParseIP(netns.Server4), Port: port}
	err = w.bed.Client.Do(func() error {
		if c, err = net.DialUDP("udp4", nil, to); err != nil {
			return err
		}
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		var failed error
		err = raw.Control(func(fd uintptr) { // else it would not be sent in fragments
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		})
		return errors.Join(err, failed)
	})
	return c, err
}

// mtu sets the size of the packets that the client sends.
func (w *world) mtu(n int) error {
	return w.bed.Client.Do(func() error {
		l, err := netlink.LinkByName("c0")
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(l, n)
	})
}

// rest waits until the server has nothing to do: no thread of it runs or wants
// to, three times in a row. One that ends for what it got has ended then; one
// that works without end shows that it answers nobody.
func (s *server) rest(ctx context.Context) {
	end := time.Now().Add(patience)
	for quiet := 0; quiet < 3 && s.alive() && ctx.Err() == nil && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if quiet++; s.busy() {
			quiet = 0
		}
	}
}

// busy says whether a thread of the server runs, or waits for a processor.
func (s *server) busy() bool {
	stats, _ := filepath.Glob("/proc/" + strconv.Itoa(s.c.Process.Pid) + "/task/*/stat")
	for _, f := range stats {
		b, _ := os.ReadFile(f)
		if _, state, _ := strings.Cut(string(b), ") "); strings.HasPrefix(state, "R") {
			return true
		}
	}
	return false
}
