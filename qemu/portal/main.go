// Portal is the server that the lab protects: a small document portal on gin
// and gorilla/csrf. go.mod builds it with versions in which three flaws are
// public; patched.mod (with the build tag "patched") builds the same source
// with the vendors' patches, to compare with.
//
//	CVE-2023-26125  gin, fixed in 1.9.0          GET /docs with X-Forwarded-Prefix
//	CVE-2023-29401  gin, fixed in 1.9.1          GET /download?name=X, Content-Disposition
//	CVE-2025-24358  gorilla/csrf, fixed in 1.7.3 POST /publish from a foreign origin
//
// It speaks plain HTTP and is for the lab only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/gin-gonic/gin"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8001", "`address` to listen on: host:port, or the path of a unix socket")
	dir := flag.String("dir", ".", "`folder` in which the portal may write the document that it serves")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "portal:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It says "listening on ADDRESS" on standard output
// once connections are accepted.
func run(ctx context.Context, address, dir string) error {
	gin.SetMode(gin.ReleaseMode)
	handler, err := portal(dir)
	if err != nil {
		return err
	}
	network := "tcp"
	if strings.Contains(address, "/") {
		network = "unix"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	srv := &http.Server{Handler: handler}
	go func() {
		<-ctx.Done()
		srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
