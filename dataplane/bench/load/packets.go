package load

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// arrivedPath is where the server tells how many datagrams have arrived.
const arrivedPath = "/arrived"

// sink opens the socket that datagrams arrive at. Nobody reads them: they count
// when the kernel has brought them there.
func sink() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: SinkPort}); err != nil {
		return fmt.Errorf("bind port %d: %w", SinkPort, err)
	}
	return nil
}

// arrived is how many datagrams the kernel of this namespace has brought to a
// socket, also those that found it full.
func arrived() (int64, error) {
	b, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return 0, err
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] != "Udp:":
		case names == nil:
			names = f
		default:
			var sum int64
			for i, name := range names {
				if name == "InDatagrams" || name == "RcvbufErrors" {
					n, err := strconv.ParseInt(f[i], 10, 64)
					if err != nil {
						return 0, fmt.Errorf("/proc/net/snmp: %w", err)
					}
					sum += n
				}
			}
			return sum, nil
		}
	}
	return 0, fmt.Errorf("/proc/net/snmp: got no counters of UDP")
}

// packets sends datagrams of 64 bytes and has the server count them.
func (c *client) packets(to netip.AddrPort, o Order) (Result, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Result{}, fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return Result{}, fmt.Errorf("connect to %s: %w", to, err)
	}
	before, err := c.arrived(to.Addr())
	if err != nil {
		return Result{}, err
	}
	datagram := make([]byte, 64)
	began := time.Now()
	for time.Since(began) < o.Duration {
		for range 64 {
			if _, err := unix.Write(fd, datagram); err != nil && err != unix.ENOBUFS {
				return Result{}, fmt.Errorf("send: %w", err)
			}
		}
	}
	took := time.Since(began)
	after, err := c.arrived(to.Addr())
	return Result{Count: after - before, Elapsed: took}, err
}

// arrived asks the server.
func (c *client) arrived(server netip.Addr) (int64, error) {
	fd, err := connect(netip.AddrPortFrom(server, PlainPort), true)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := unix.SetNonblock(fd, false); err != nil {
		return 0, err
	}
	if err := c.exchange(fd, []byte("GET "+arrivedPath+" HTTP/1.1\r\nHost: a\r\n\r\n"), len(arrivedAnswer(0))); err != nil {
		return 0, err
	}
	var n int64
	_, err = fmt.Sscanf(string(c.buf[:len(arrivedAnswer(0))]), arrivedForm, &n)
	return n, err
}

// arrivedForm is an answer of fixed length.
const arrivedForm = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n%020d"

func arrivedAnswer(n int64) []byte { return fmt.Appendf(nil, arrivedForm, n) }
