package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// kernelSettings are set before any port exists, so that each port is born with
// them. All harden; three also make the box work:
// ip_unprivileged_port_start lets mgmt, without privileges, serve 443, and 22 once that is wanted;
// disable_ipv6 keeps the wire ports from speaking for themselves;
// forwarding stays off: frames cross the box below IP or not at all.
var kernelSettings = [][2]string{
	{"kernel.dmesg_restrict", "1"},
	{"kernel.kptr_restrict", "2"},
	{"kernel.panic", "10"},
	{"kernel.panic_on_oops", "1"},
	{"kernel.perf_event_paranoid", "3"},
	{"kernel.sysrq", "0"},
	{"kernel.unprivileged_bpf_disabled", "1"},
	{"kernel.yama.ptrace_scope", "2"},
	{"kernel.kexec_load_disabled", "1"},
	{"fs.protected_fifos", "2"},
	{"fs.protected_hardlinks", "1"},
	{"fs.protected_regular", "2"},
	{"fs.protected_symlinks", "1"},
	{"fs.suid_dumpable", "0"},
	{"net.core.bpf_jit_harden", "1"},
	{"net.ipv4.ip_forward", "0"},
	{"net.ipv4.ip_unprivileged_port_start", "22"},
	{"net.ipv4.conf.all.accept_redirects", "0"},
	{"net.ipv4.conf.all.accept_source_route", "0"},
	{"net.ipv4.conf.all.send_redirects", "0"},
	{"net.ipv4.conf.all.secure_redirects", "0"},
	{"net.ipv4.conf.all.arp_ignore", "1"},
	{"net.ipv4.conf.all.arp_announce", "2"},
	{"net.ipv4.conf.all.rp_filter", "1"},
	{"net.ipv4.conf.default.rp_filter", "1"},
	{"net.ipv4.tcp_syncookies", "1"},
	{"net.ipv6.conf.all.forwarding", "0"},
	{"net.ipv6.conf.default.accept_ra", "0"},
	{"net.ipv6.conf.default.accept_redirects", "0"},
	{"net.ipv6.conf.default.disable_ipv6", "1"},
}

func setKernel() error {
	var errs []error
	for _, s := range kernelSettings {
		if err := sysctl(s[0], s[1]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// sysctl sets a kernel parameter, as net.ipv4.ip_forward. A port's name in it
// must have no dot.
func sysctl(name, value string) error {
	if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

// uptime is the time since the kernel started.
func uptime() time.Duration {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	d, _ := time.ParseDuration(first + "s")
	return d
}
