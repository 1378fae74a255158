package prove

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"wirepatch/dataplane/internal/netns"
)

// port is where every server listens: all three have the same address, so that
// nothing in an answer can depend on which of them gave it.
const port = 8080

// patience is how long what must happen may take on a busy machine.
const patience = 60 * time.Second

// server is one version of a server, running in a bed's namespace.
type server struct {
	name   string
	bed    *netns.Bed
	dir    string
	start  string
	path   string // PATH, with the right Node.js first
	logs   string
	over   string // "udp", else TCP
	probe  *net.TCPAddr
	c      *exec.Cmd
	exited chan struct{}
	once   *sync.Once
	starts int
}

// up starts the server and waits until it takes connections. Whatever the
// version, it sees itself in /srv: so paths in its answers are the same.
func (s *server) up(ctx context.Context) error {
	log, err := os.OpenFile(s.logs, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.c = exec.Command("unshare", "--mount", "--", "sh", "-c", `mount --bind "$1" /srv && cd /srv && exec $2`, "sh", s.dir, s.start)
	s.c.Env = append(os.Environ(), "PATH="+s.path, "HOST="+netns.Server4, "PORT="+strconv.Itoa(port), "NODE_ENV=", "GOFLAGS=")
	s.c.Stdout, s.c.Stderr = log, log
	s.c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.bed.Server.Start(s.c); err != nil {
		return fmt.Errorf("start the %s server: %w", s.name, err)
	}
	s.starts++
	s.exited, s.once = make(chan struct{}), &sync.Once{}
	go func(c *exec.Cmd, exited chan struct{}) {
		c.Wait()
		close(exited)
	}(s.c, s.exited)
	return s.ready(ctx)
}

// ready waits until the server takes connections, from within its own
// namespace: that way nothing of it crosses the appliance.
func (s *server) ready(ctx context.Context) error {
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; {
		if !s.alive() {
			return fmt.Errorf("the %s server ended at its start; see %s", s.name, s.logs)
		}
		if s.bed.Server.Do(s.listens) == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond) // between two questions; the answer is what is waited for
	}
	return errors.Join(ctx.Err(), fmt.Errorf("the %s server did not take connections within %v; see %s", s.name, patience, s.logs))
}

// listens returns nil when somebody waits for what comes in at the port.
func (s *server) listens() error {
	if s.over == "udp" {
		return bound("/proc/thread-self/net/udp")
	}
	c, err := net.DialTCP("tcp4", nil, s.probe)
	if err == nil {
		c.SetLinger(0)
		c.Close()
	}
	return err
}

// bound returns nil when a socket in the kernel's list has the servers' port.
func bound(list string) error {
	b, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), fmt.Sprintf(":%04X ", port)) {
		return errors.New("no socket is bound to the port")
	}
	return nil
}

// alive says whether the process runs.
func (s *server) alive() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// gone waits for the end of a process that has closed its sockets, as one does
// a little before. One that has closed them and lives on is not waited for long.
func (s *server) gone(ctx context.Context) {
	select {
	case <-s.exited:
	case <-time.After(stallLimit):
	case <-ctx.Done():
	}
}

// down ends the server with all its processes.
func (s *server) down() {
	if s.c == nil {
		return
	}
	s.once.Do(func() {
		syscall.Kill(-s.c.Process.Pid, syscall.SIGKILL)
		<-s.exited
	})
}

// again starts the server anew.
func (s *server) again(ctx context.Context) error {
	s.down()
	return s.up(ctx)
}

// newServer describes a server of the proof.
func newServer(i *installer, p *proof, name string, v version, dir string, bed *netns.Bed) (*server, error) {
	s := &server{name: name, bed: bed, dir: dir, start: p.Start, path: os.Getenv("PATH"), over: p.Over,
		logs:  filepath.Join(i.cache, p.definition.ID+"-"+name+".log"),
		probe: &net.TCPAddr{IP: net.ParseIP(netns.Server4), Port: port}}
	if err := os.RemoveAll(s.logs); err != nil {
		return nil, err
	}
	if len(v.NPM) > 0 || v.Node != "" {
		node, err := i.node(v.Node)
		if err != nil {
			return nil, err
		}
		s.path = filepath.Dir(node) + ":" + s.path
	}
	return s, nil
}
