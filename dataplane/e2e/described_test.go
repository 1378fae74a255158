package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wirepatch/dataplane/internal/netns"
)

// TestDescribedIsWhatShips: the descriptions of these tests are those that ship.
func TestDescribedIsWhatShips(t *testing.T) {
	for _, name := range []string{"redis.yaml", "memcached-binary.yaml"} {
		here, err := os.ReadFile(filepath.Join("testdata/protocols/protocols", name))
		if err != nil {
			t.Fatal(err)
		}
		ships, err := os.ReadFile(filepath.Join("../../definitions/protocols", name))
		if err != nil || string(here) != string(ships) {
			t.Errorf("%s differs from the one under definitions, %v", name, err)
		}
	}
}

func startRedis(t *testing.T, n *netns.NS) {
	t.Helper()
	serve(t, n, 6379, "redis-server", "--bind", netns.Server4, "--protected-mode", "no", "--save", "", "--dir", t.TempDir())
}

// redis runs redis-cli with these commands, one a line.
func redis(t *testing.T, b *box, args ...string) string {
	t.Helper()
	out, ok := output(t, b.Client, "redis-cli", append([]string{"-h", netns.Server4}, args...)...)
	if !ok {
		t.Errorf("redis-cli %q: %s", args, out)
	}
	return out
}

// A protocol of lines that only a description knows, with the real server.
func TestRedisIsIdentical(t *testing.T) {
	b := withProtocol(t, "redis", 6379)
	compare := exact(t, b)
	startRedis(t, b.Server)
	if got := redis(t, b, "MSET", "a", "one\r\ntwo", "b", strings.Repeat("x", 200)); got != "OK\n" {
		t.Errorf("MSET = %q", got)
	}
	if got := redis(t, b, "MGET", "a", "b", "c"); got != "one\r\ntwo\n"+strings.Repeat("x", 200)+"\n\n" {
		t.Errorf("MGET = %q", got)
	}
	redis(t, b, "INFO")
	redis(t, b, "-3", "COMMAND", "DOCS", "GET")
	redis(t, b, "-r", "20", "INCR", "n")
	compare(6379)
}

// Thousands of commands without waiting for replies, on many sessions: none is
// lost, and none refused.
func TestRedisPipelined(t *testing.T) {
	b := withProtocol(t, "redis", 6379)
	startRedis(t, b.Server)
	out, ok := output(t, b.Client, "redis-benchmark", "-h", netns.Server4, "-n", "20000", "-c", "20", "-P", "200", "-d", "9", "-r", "1000", "-t", "set,get,incr,lpush", "--csv")
	if !ok || strings.Contains(out, "rror") || strings.Count(out, "\n") < 5 {
		t.Errorf("redis-benchmark: %s", out)
	}
	if got := redis(t, b, "LLEN", "mylist"); got != "20000\n" {
		t.Errorf("the list has %q elements; want those that were pushed", got)
	}
	if st := b.status(t); st.Sessions.Reset != 0 || st.Sessions.Passed != 0 || st.Sessions.Edited != 0 {
		t.Errorf("sessions = %+v; want none reset, passed or edited", st.Sessions)
	}
}

func TestRedisCorrections(t *testing.T) {
	b := withProtocol(t, "redis", 6379)
	startRedis(t, b.Server)
	redis(t, b, "SET", "a", "a value that is too long")
	if got := redis(t, b, "GET", "a"); got != "a value th\n" {
		t.Errorf("GET = %q; want the value cut", got)
	}
	if got, _ := output(t, b.Client, "redis-cli", "-h", netns.Server4, "EVAL", "return 1", "0"); !strings.Contains(got, "ERR unknown command 'eval' for 10.77.0.1") {
		t.Errorf("EVAL = %q; want it refused", got)
	}
	b.event(t, "correction", "WP-2026-redis")
}

func startMemcached(t *testing.T, n *netns.NS) {
	t.Helper()
	serve(t, n, 11211, "memcached", "-u", "root", "-l", netns.Server4, "-B", "binary", "-U", "0")
}

// A binary protocol that only a description knows, with the real server.
func TestMemcachedBinary(t *testing.T) {
	b := withProtocol(t, "memcached-binary", 11211)
	compare := exact(t, b)
	startMemcached(t, b.Server)
	servers := "--servers=" + netns.Server4
	dir := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, ok := output(t, b.Client, "memccp", servers, "--binary", "--set", path); !ok {
			t.Errorf("memccp: %s", out)
		}
	}
	get := func(name string) string {
		out, ok := output(t, b.Client, "memccat", servers, "--binary", name)
		if !ok {
			t.Errorf("memccat %s: %s", name, out)
		}
		return out
	}
	put("key", "the value")
	put("bin", string([]byte{0, 1, 255}))
	for range 3 {
		if got := get("key"); !strings.Contains(got, "the value") {
			t.Errorf("the value = %q", got)
		}
	}
	compare(11211)
	put("long", "abc def")
	if got := get("long"); !strings.Contains(got, "abc and what the box has put behind it") {
		t.Errorf("the corrected value = %q", got)
	}
	output(t, b.Client, "memcflush", servers, "--binary") // succeeds whatever the server says
	b.event(t, "correction", "reject")
	if got := get("key"); !strings.Contains(got, "the value") {
		t.Errorf("after a refused flush the value = %q", got)
	}
}

// Services that say auto find their protocol; one that nobody decodes is refused.
func TestAuto(t *testing.T) {
	b := newBox(t)
	if err := os.CopyFS(b.definitions, os.DirFS("testdata/protocols")); err != nil {
		t.Fatal(err)
	}
	b.write(t, "[service any]\naddress = "+netns.Server4+"\nport = 80\nprotocol = auto\n[service mqtt]\naddress = "+netns.Server4+"\nport = 1883\nprotocol = auto\n[service ftp]\naddress = "+netns.Server4+"\nport = 21\nprotocol = auto\n[service redis]\naddress = "+netns.Server4+"\nport = 6379\nprotocol = auto\n")
	if err := b.control.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	startNginx(t, b.Server)
	startMQTT(t, b.Server)
	startFTP(t, b.Server)
	startRedis(t, b.Server)
	got := curl(t, b.Client, "-H", "X-Removed: secret", "http://"+netns.Server4+"/echo")
	holds(t, "HTTP by auto", got, []string{"removed=[]"}, nil)
	out, _ := output(t, b.Client, "mosquitto_pub", "-h", netns.Server4, "-r", "-t", "changed", "-m", "x")
	got, _ = output(t, b.Client, "mosquitto_sub", "-h", netns.Server4, "-C", "1", "-W", "20", "-t", "changed")
	holds(t, "MQTT by auto"+out, got, []string{"by the box"}, nil)
	got = curl(t, b.Client, "-v", "--stderr", "-", "-l", "-Q", "SYST", "ftp://"+netns.Server4+"/")
	holds(t, "FTP by auto", got, []string{"215 no system that you need to know of"}, nil)
	redis(t, b, "SET", "a", "a value that is too long")
	holds(t, "Redis, which is described, by auto", redis(t, b, "GET", "a"), []string{"a value th\n"}, nil)
	b.write(t, "[service a]\naddress = "+netns.Server4+"\nport = 80\nprotocol = gopher\n")
	if err := b.control.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), `nobody decodes "gopher"`) {
		t.Errorf("Reload with an unknown protocol = %v; want it refused", err)
	}
}
