// Package sshd serves the console's menu to SSH clients on the management port,
// while the settings say so: users of the page, with keys, and nothing else. It
// knows no passwords, runs no commands, forwards nothing and sends no files.
package sshd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/connlimit"
	"wirepatch/mgmt/console"
)

// Limits.
const (
	maxConnections = 16 // at once, in all and from one address
	maxOfOne       = 4
	maxTries       = 6                // keys that one connection may offer
	handshakeTime  = 20 * time.Second // until a key has fitted
	startTime      = 30 * time.Second // until the menu is asked for
	wholeTime      = 12 * time.Hour   // of a connection
	endTime        = 2 * time.Second  // for the client to hang up once the menu has ended
)

var errHangUp = errors.New("the client has hung up")

// Server is the SSH server of one box.
type Server struct {
	Listen   string // address and port
	Dir      string // for the host key
	Users    *auth.Users
	Throttle *auth.Throttle // of addresses whose keys did not fit
	Audit    func(audit.Entry)
	Menu     console.Box  // but for its place and user
	Wanted   func() bool  // by the settings; asked again and again
	Log      *slog.Logger //
	Serving  func(net.Addr)
}

// lookEvery is how soon a change of the settings is followed.
const lookEvery = time.Second

// Run serves while that is wanted, until ctx ends.
func (s *Server) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var stop func()
	said := ""
	for {
		wanted := s.Wanted()
		switch {
		case wanted && stop == nil:
			var err error
			if stop, err = s.start(ctx); err != nil && err.Error() != said {
				said = err.Error()
				s.Log.Error("SSH is not served", "cause", err)
			}
		case !wanted && stop != nil:
			stop()
			stop = nil
			s.Log.Info("SSH is off")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if stop != nil {
				stop()
			}
			return
		}
	}
}

// start listens. What it returns ends that and every connection.
func (s *Server) start(ctx context.Context) (stop func(), err error) {
	key, err := hostKey(s.Dir)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var open sync.WaitGroup
	config := s.config(key)
	open.Go(func() { s.accept(ctx, connlimit.New(l, maxConnections, maxOfOne), config, &open) })
	s.Log.Info("serving SSH", "address", l.Addr(), "host_key", ssh.FingerprintSHA256(key.PublicKey()))
	if s.Serving != nil {
		s.Serving(l.Addr())
	}
	return func() { cancel(); l.Close(); open.Wait() }, nil
}

func (s *Server) config(key ssh.Signer) *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		MaxAuthTries:  maxTries,
		ServerVersion: "SSH-2.0-Wirepatch",
		PublicKeyCallback: func(c ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
			if _, ok := s.Users.HasKey(c.User(), k); !ok {
				return nil, errors.New("this key is not the user's")
			}
			return &ssh.Permissions{Extensions: map[string]string{"key": ssh.FingerprintSHA256(k)}}, nil
		},
	}
	safe := ssh.SupportedAlgorithms()
	c.KeyExchanges, c.Ciphers, c.MACs, c.PublicKeyAuthAlgorithms = safe.KeyExchanges, safe.Ciphers, safe.MACs, safe.PublicKeyAuths
	c.AddHostKey(key)
	return c
}

func (s *Server) accept(ctx context.Context, l net.Listener, config *ssh.ServerConfig, open *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		open.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer func() {
				if v := recover(); v != nil {
					s.Log.Error("SSH connection failed", "cause", fmt.Sprint(v))
				}
			}()
			s.serve(ctx, c, config)
		})
	}
}

// serve carries one connection.
func (s *Server) serve(ctx context.Context, c net.Conn, config *ssh.ServerConfig) {
	ap, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // the zero one counts as one more source
	from := ap.Addr().Unmap()
	if s.Throttle.Attempt(from, "") > 0 {
		return
	}
	c.SetDeadline(time.Now().Add(handshakeTime))
	conn, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		var refused *ssh.ServerAuthError
		if errors.As(err, &refused) {
			s.Audit(audit.Entry{Who: "unknown user", From: from.String(), Action: "sign-in", Object: "SSH", Detail: "no key fitted", Outcome: "refused"})
		}
		return
	}
	defer conn.Close()
	s.Throttle.Success(from, "")
	c.SetDeadline(time.Now().Add(startTime))
	go refuseAll(requests)
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	u, _ := s.Users.Get(conn.User())
	s.Audit(audit.Entry{Who: conn.User(), Role: u.Role.String(), From: from.String(), Action: "sign-in", Object: "SSH", Detail: "key " + conn.Permissions.Extensions["key"], Outcome: "done"})
	menus := 0
	for ch := range channels {
		if ch.ChannelType() != "session" || menus > 0 {
			ch.Reject(ssh.Prohibited, "only one session, for the menu")
			continue
		}
		menus++
		channel, asked, err := ch.Accept()
		if err != nil {
			return
		}
		go func() {
			// The client hangs up; before it has said so, to close would be a fault to it.
			defer func() { c.SetDeadline(time.Now().Add(endTime)) }()
			s.session(ctx, channel, asked, conn.User(), from.String(), func() { c.SetDeadline(time.Time{}) })
		}()
	}
}

// refuseAll says no to what concerns the connection: forwarding, above all.
func refuseAll(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
}

// session shows the menu when a shell is asked for, and refuses all else.
func (s *Server) session(ctx context.Context, channel ssh.Channel, asked <-chan *ssh.Request, user, from string, begun func()) {
	t := &terminal{channel: channel}
	started := false
	ended := make(chan struct{})
	for {
		var r *ssh.Request
		select {
		case r = <-asked:
		case <-ended:
			channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
			channel.Close()
			return
		}
		if r == nil {
			return
		}
		ok := false
		switch {
		case r.Type == "pty-req" && !started:
			t.pty, ok = true, true
		case r.Type == "window-change":
			ok = true
		case r.Type == "shell" && !started:
			started, ok = true, true
			begun()
		}
		if r.WantReply {
			r.Reply(ok, nil)
		}
		if started && ok && r.Type == "shell" {
			go func() {
				defer close(ended)
				b := s.Menu
				b.User, b.Place, b.Local, b.Shell = user, from+" by SSH", false, false
				// How it ended, the audit log has.
				_ = console.New(b, t).Run(ctx)
			}()
		}
	}
}
