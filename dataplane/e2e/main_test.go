package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"wirepatch/dataplane/internal/build"
)

// programs are what the tests run, with the Debian packages that have them.
var programs = [][2]string{
	{"curl", "curl"}, {"nginx", "nginx-light"}, {"dig", "bind9-dnsutils"}, {"dnsmasq", "dnsmasq-base"}, {"openssl", "openssl"}, {"in.tftpd", "tftpd-hpa"}, {"atftp", "atftp"}, {"vsftpd", "vsftpd"}, {"lftp", "lftp"}, {"/usr/sbin/exim4", "exim4-daemon-light"},
	{"swaks", "swaks"}, {"mosquitto", "mosquitto"}, {"mosquitto_pub", "mosquitto-clients"},
	{"redis-server", "redis-server"}, {"redis-cli", "redis-tools"}, {"memcached", "memcached"}, {"memccp", "libmemcached-tools"},
	{"wget", "wget"}, {"ab", "apache2-utils"}, {"apache2", "apache2-bin"}, {"node", "nodejs"},
}

// program is the dataplane, built for the tests.
var program string

func TestMain(m *testing.M) {
	code, err := all(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func all(m *testing.M) (int, error) {
	for _, p := range programs {
		if _, err := exec.LookPath(p[0]); err != nil {
			return 1, fmt.Errorf("%s is not installed; install it with: apt-get install %s", p[0], p[1])
		}
	}
	if err := build.Watch(".."); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if program, err = build.Dataplane(context.Background(), dir); err != nil {
		return 1, err
	}
	return m.Run(), nil
}
