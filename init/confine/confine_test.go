package confine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The test binary is also the program: with this variable set it confines
// itself as its arguments say.
const asProgram = "CONFINE_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		fmt.Fprintln(os.Stderr, Main(os.Args[1:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// run runs a shell script confined.
func run(t *testing.T, o Options, script string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("it gives up rights that only root has; run it as root")
	}
	c := exec.Command("/proc/self/exe", o.Args("/bin/sh", "-c", script)...)
	c.Env = []string{asProgram + "=1", "PATH=/usr/bin:/bin"}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Logf("%v: %s", err, out)
	}
	return string(out)
}

// status reads a field of /proc/PID/status.
func status(text, field string) string {
	for l := range strings.SplitSeq(text, "\n") {
		if k, v, ok := strings.Cut(l, ":"); ok && k == field {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	return ""
}

func TestRootWithFewCapabilities(t *testing.T) {
	got := run(t, Options{Group: 901, OOM: 300, Capabilities: []string{"net_admin", "bpf"}}, "cat /proc/self/status /proc/self/oom_score_adj")
	const want = "0000008000001000" // bit 39 bpf, bit 12 net_admin
	for field, w := range map[string]string{"Uid": "0 0 0 0", "Gid": "901 901 901 901", "Groups": "", "CapPrm": want, "CapEff": want, "CapBnd": want,
		"CapInh": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1"} {
		if s := status(got, field); s != w {
			t.Errorf("%s = %q; want %q", field, s, w)
		}
	}
	if !strings.HasSuffix(got, "\n300\n") {
		t.Error("oom_score_adj is not 300")
	}
}

func TestUserWithNothing(t *testing.T) {
	got := run(t, Options{User: 900, Group: 900, Groups: []int{901}}, "cat /proc/self/status")
	for field, w := range map[string]string{"Uid": "900 900 900 900", "Gid": "900 900 900 900", "Groups": "901",
		"CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1"} {
		if s := status(got, field); s != w {
			t.Errorf("%s = %q; want %q", field, s, w)
		}
	}
}

func TestWritesOneFolderOnly(t *testing.T) {
	// World-writable on purpose: only Landlock stands between.
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o777)
	}
	mine, other := filepath.Join(dir, "mine"), filepath.Join(dir, "other")
	for _, d := range []string{mine, other} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
		os.Chmod(d, 0o777)
	}
	old := filepath.Join(other, "old")
	if err := os.WriteFile(old, []byte("kept"), 0o666); err != nil {
		t.Fatal(err)
	}
	os.Chmod(old, 0o666)
	script := fmt.Sprintf("echo ok >%s/new && cat %s/new; cat %s; echo >/dev/null && echo null; echo bad >%s/new; echo bad >%s; rm %s; mkdir %s/d", mine, mine, old, other, old, old, other)
	got := run(t, Options{User: 900, Group: 900, Write: []string{mine}}, script)
	if !strings.HasPrefix(got, "ok\nkept") || !strings.Contains(got, "null\n") {
		t.Errorf("confined to its folder it could not write there or read elsewhere:\n%s", got)
	}
	if text, err := os.ReadFile(old); err != nil || string(text) != "kept" {
		t.Errorf("another folder's file is %q, %v; want it untouched", text, err)
	}
	if all, _ := os.ReadDir(other); len(all) != 1 {
		t.Errorf("another folder has %d entries; want 1", len(all))
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "no program to become"},
		{[]string{"-user", "x", "--", "/bin/true"}, "invalid value"},
		{Options{Capabilities: []string{"sys_module"}}.Args("/bin/true"), `capability "sys_module" is not known`},
		{Options{Write: []string{"/nothing/here"}}.Args("/bin/true"), "allow writing below /nothing/here"},
		{Options{}.Args("/nothing/here"), "start /nothing/here"},
	} {
		c := exec.Command("/proc/self/exe", tt.args...)
		c.Env = []string{asProgram + "=1"}
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("confine %q = %q, %v; want an error with %q", tt.args, out, err, tt.want)
		}
	}
}
