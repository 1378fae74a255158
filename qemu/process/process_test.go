package process

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestMain plays the parent that TestDiesWithParent kills.
func TestMain(m *testing.M) {
	if os.Getenv("PROCESS_TEST_PARENT") == "" {
		os.Exit(m.Run())
	}
	p, err := Start(exec.Command("sleep", "1000"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	<-p.Done()
}

// TestDiesWithParent kills a parent and waits for its child to be gone: the
// child holds the other end of a pipe.
func TestDiesWithParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), "PROCESS_TEST_PARENT=1")
	parent.Stdout = w
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(line, &pid); err != nil {
		t.Fatalf("the parent said %q: %v", line, err)
	}
	child, err := pidfd(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	parent.Process.Kill()
	parent.Wait()
	if err := awaitEnd(child); err != nil {
		t.Errorf("waiting for the child %d to end: %v", pid, err)
	}
}

func TestStop(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"obeys", "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done", "exit status 3"},
		{"must be killed", "trap '' TERM; echo ready; while :; do sleep 0.01; done", "signal: killed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd := exec.Command("sh", "-c", tc.script)
			cmd.Stdout = w
			p, err := Start(cmd)
			w.Close()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			p.Stop()
			if got := p.Err().Error(); got != tc.want {
				t.Errorf("Err() = %s; want %s", got, tc.want)
			}
			if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d is still there (%v)", p.PID(), err)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	p, err := Start(exec.Command("sh", "-c", "echo out; echo err >&2; seq 10000; exit 1"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	got := p.Output()
	if len(got) > tailLimit || !strings.HasSuffix(got, "\n9999\n10000\n") {
		t.Errorf("Output() = %d bytes ending in %q; want at most %d, up to 10000", len(got), got[max(0, len(got)-20):], tailLimit)
	}
	if got := p.Err().Error(); got != "exit status 1" {
		t.Errorf("Err() = %s; want exit status 1", got)
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(exec.Command("/does/not/exist")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Start() = %v; want %v", err, os.ErrNotExist)
	}
}
