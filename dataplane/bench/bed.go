package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/vishvananda/netlink"

	"wirepatch/dataplane/bench/load"
	"wirepatch/dataplane/internal/netns"
)

// host is the command in its beds.
type host struct{ netns.Host }

// end is a process of the load in a bed's namespace.
type agent struct {
	orders  *json.Encoder
	results *json.Decoder
}

// startAgent starts this program again, as one end of a bed. It ends with its
// standard input, so also when this process is killed.
func (h *host) startAgent(n *netns.NS, role string) *agent {
	self, err := os.Executable()
	if err != nil {
		h.Fatal(err)
	}
	c := exec.Command(self, "-agent", role)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		h.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		h.Fatal(err)
	}
	c.SysProcAttr = ownGroup
	if err := n.Start(c); err != nil {
		h.Fatalf("start the %s of the load: %v", role, err)
	}
	h.Cleanup(func() {
		in.Close()
		late := time.AfterFunc(patience, func() { c.Process.Kill() })
		defer late.Stop()
		io.Copy(io.Discard, out)
		c.Wait()
	})
	stop := context.AfterFunc(h.Ctx, func() { c.Process.Kill() }) // so that who waits for its answer goes on
	h.Cleanup(func() { stop() })
	return &agent{orders: json.NewEncoder(in), results: json.NewDecoder(out)}
}

// result waits for the agent's next answer.
func (a *agent) result() (load.Result, error) {
	var r load.Result
	if err := a.results.Decode(&r); err != nil {
		return r, fmt.Errorf("the load ended: %w", err)
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

func (a *agent) do(o load.Order) (load.Result, error) {
	if err := a.orders.Encode(o); err != nil {
		return load.Result{}, err
	}
	return a.result()
}

// newBed makes a bed with a server that listens, and returns its client.
func (h *host) newBed() (*netns.Bed, *agent) {
	b := netns.NewBed(h)
	b.Server.Must(h, func() error { return sysctl("net/core/somaxconn", "8192") })
	b.Client.Must(h, func() error { return sysctl("net/ipv4/ip_local_port_range", "1024 65535") })
	server := h.startAgent(b.Server, "server")
	if _, err := server.result(); err != nil {
		h.Fatalf("server: %v", err)
	}
	return b, h.startAgent(b.Client, "client")
}

func sysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0)
}

// bridge joins the two ports of a box as Linux does.
func bridge() error {
	at := netlink.NewLinkAttrs()
	at.Name = "br0"
	off := false
	br := &netlink.Bridge{LinkAttrs: at, MulticastSnooping: &off}
	if err := netlink.LinkAdd(br); err != nil {
		return fmt.Errorf("make bridge: %w", err)
	}
	for _, name := range []string{"b0", "b1"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetMaster(l, br); err != nil {
			return fmt.Errorf("add %s to bridge: %w", name, err)
		}
	}
	return netlink.LinkSetUp(br)
}
