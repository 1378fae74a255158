package soak

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"

	"wirepatch/dataplane/internal/netns"
)

// known is what the ports know of the session from that address to the server, as
// it lies in their tables (port/bpf/follow.h, maps.h): a session that stands still
// is to say why.
func (b *box) known(from string) string {
	client, err := netip.ParseAddrPort(from)
	if err != nil {
		return err.Error()
	}
	server := netip.MustParseAddrPort("10.77.0.2:80")
	key := append(make([]byte, 4), 4, 0, 0, 0)
	for _, e := range []netip.AddrPort{client, server} {
		key = binary.BigEndian.AppendUint16(key, e.Port())
	}
	for _, e := range []netip.AddrPort{client, server} {
		a := e.Addr().As16()
		key = append(key, a[:]...)
	}
	out := []string{"session " + b.lookUp("wp_sessions", key), "opening " + b.lookUp("wp_openings", key)}
	slot := b.lookUp("wp_flows", key)
	out = append(out, "slot "+slot)
	if index, err := hex.DecodeString(slot); err == nil {
		out = append(out, b.lookUp("wp_slots", index))
	}
	return strings.Join(out, ", ")
}

// lookUp returns the bytes of a value in one of the pinned maps.
func (b *box) lookUp(name string, key []byte) string {
	m, err := ebpf.LoadPinnedMap(filepath.Join(b.pins, name), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return err.Error()
	}
	defer m.Close()
	v, err := m.LookupBytes(key)
	switch {
	case err != nil:
		return err.Error()
	case v == nil:
		return "none"
	}
	return fmt.Sprintf("%x", v)
}

// discarded is what the kernel of an end has counted of segments that it did not
// take.
func discarded(n *netns.NS) string {
	var text []byte
	err := n.Do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/netstat")
		return err
	})
	if err != nil {
		return err.Error()
	}
	var out, names []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(names) != len(f) || names[0] != f[0] {
			names = f
			continue
		}
		for i, v := range f[1:] {
			name := names[i+1]
			if v != "0" && (strings.Contains(name, "PAWS") || strings.Contains(name, "TSEcr") || strings.Contains(name, "Skipped") || strings.Contains(name, "Drop") || strings.Contains(name, "Window") || strings.Contains(name, "OFO")) {
				out = append(out, name+" "+v)
			}
		}
		names = nil
	}
	return strings.Join(out, ", ")
}
