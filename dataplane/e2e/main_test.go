package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(m *testing.M) (int, error) {
	for _, p := range programs {
		if _, err := exec.LookPath(p[0]); err != nil {
			return 1, fmt.Errorf("%s is not installed; install it with: apt-get install %s", p[0], p[1])
		}
	}
	if err := watch(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "dataplane")
	c := exec.Command("go", "build", "-o", program, "wirepatch/dataplane")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return 1, fmt.Errorf("build the dataplane: %w", err)
	}
	return m.Run(), nil
}

// watch looks at the program's sources, so that the go command, which notes what
// a test looks at, runs the tests anew when the program has changed.
func watch() error {
	return filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.Stat(path)
		}
		return err
	})
}
