// Repeats what comes over DTLS.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/dtls/v2/pkg/crypto/selfsign"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	debug.SetMaxStack(32 << 20) // a recursion without end ends the process sooner
	port, err := strconv.Atoi(os.Getenv("PORT"))
	if err != nil {
		return err
	}
	cert, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return err
	}
	l, err := dtls.Listen("udp", &net.UDPAddr{IP: net.ParseIP(os.Getenv("HOST")), Port: port}, &dtls.Config{
		Certificates:        []tls.Certificate{cert},
		ConnectContextMaker: func() (context.Context, func()) { return context.WithTimeout(context.Background(), 5*time.Second) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "ready")
	// A handshake that hangs takes an Accept with it until its time is over.
	for range acceptors - 1 {
		go accept(l)
	}
	accept(l)
	return nil
}

const acceptors = 2000

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "accept:", err)
			continue
		}
		go echo(c)
	}
}

func echo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
