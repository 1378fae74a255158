// Package socket is how programs of the box ask each other: a unix socket, one
// connection for a question and its answer. What they say is the caller's matter.
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"
)

// atOnce is how many questions are answered at a time; more wait.
const atOnce = 8

// Listen makes the socket at path with mode 0660, of group gid when that is not
// negative. A socket that a dead process left is replaced.
func Listen(path string, gid int) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("listen on %s: another process answers there", path)
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove stale socket: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if gid >= 0 {
		err = os.Chown(path, -1, gid)
	}
	if err = errors.Join(err, os.Chmod(path, 0o660)); err != nil {
		l.Close()
		return nil, fmt.Errorf("set access to %s: %w", path, err)
	}
	return l, nil
}

// again is how long is waited where the kernel has no room for a connection.
const again = 100 * time.Millisecond

// passing says whether a connection could not be taken for a reason that goes by: too
// many files are open, or the client has gone.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Serve has answer answer each connection, for so long at most, until l is closed.
func Serve(ctx context.Context, l net.Listener, limit time.Duration, answer func(context.Context, net.Conn)) error {
	places := make(chan struct{}, atOnce)
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if passing(err) {
			select {
			case <-time.After(again):
			case <-ctx.Done():
			}
			continue
		}
		if err != nil {
			return err
		}
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			defer c.Close()
			c.SetDeadline(time.Now().Add(limit))
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			defer func() { // one bad question must not end the program, which may be process 1
				if p := recover(); p != nil {
					log.Printf("an answer on %s failed: %v\n%s", l.Addr(), p, debug.Stack())
				}
			}()
			answer(ctx, c)
		}()
	}
}

// Dial connects to the socket at path for one question, which may take so long.
// Who gives ctx up, gives the connection up.
func Dial(ctx context.Context, path string, limit time.Duration) (conn net.Conn, done func(), err error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err = d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, nil, err
	}
	conn.SetDeadline(time.Now().Add(limit))
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return conn, func() {
		stop()
		conn.Close()
	}, nil
}
