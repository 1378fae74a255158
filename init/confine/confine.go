// Package confine takes away from a process what it does not need, and then
// becomes another program. init starts each of the appliance's programs through
// it: the dataplane as root with the few capabilities that the wire takes, mgmt
// as a user without any, allowed to write to one folder only.
package confine

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// capabilities are those that a program of the appliance may be given.
var capabilities = map[string]uintptr{
	"net_admin":    unix.CAP_NET_ADMIN,
	"net_raw":      unix.CAP_NET_RAW,
	"bpf":          unix.CAP_BPF,
	"sys_admin":    unix.CAP_SYS_ADMIN,
	"perfmon":      unix.CAP_PERFMON,
	"sys_nice":     unix.CAP_SYS_NICE,
	"sys_resource": unix.CAP_SYS_RESOURCE,
	"ipc_lock":     unix.CAP_IPC_LOCK,

	"linux_immutable": unix.CAP_LINUX_IMMUTABLE,
}

// Options say what is left to the program.
type Options struct {
	User, Group  int
	Groups       []int    // further ones
	Capabilities []string // as net_admin; only root keeps them
	Write        []string // folders that it may write below; nil: as the file modes say
	OOM          int      // the kernel's oom_score_adj: who is ended first when memory runs out
}

// Args are the arguments that Main reads the same options from.
func (o Options) Args(program ...string) []string {
	out := []string{"-user", strconv.Itoa(o.User), "-group", strconv.Itoa(o.Group), "-oom", strconv.Itoa(o.OOM),
		"-capabilities", strings.Join(o.Capabilities, ",")}
	for _, g := range o.Groups {
		out = append(out, "-with-group", strconv.Itoa(g))
	}
	for _, w := range o.Write {
		out = append(out, "-write", w)
	}
	return append(append(out, "--"), program...)
}

// Main is the program "confine": it applies the options in args and becomes the
// program that follows them. It returns only an error.
func Main(args []string) error {
	var o Options
	f := flag.NewFlagSet("confine", flag.ContinueOnError)
	f.IntVar(&o.User, "user", 0, "user id")
	f.IntVar(&o.Group, "group", 0, "group id")
	f.IntVar(&o.OOM, "oom", 0, "oom_score_adj, -1000 to 1000")
	f.Func("with-group", "further group id", func(s string) error {
		g, err := strconv.Atoi(s)
		o.Groups = append(o.Groups, g)
		return err
	})
	f.Func("capabilities", "capabilities to keep, as net_admin,bpf", func(s string) error {
		o.Capabilities = strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
		return nil
	})
	f.Func("write", "folder to allow writing below", func(s string) error {
		o.Write = append(o.Write, s)
		return nil
	})
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return errors.New("no program to become; usage: confine OPTIONS -- PROGRAM ARGUMENTS")
	}
	// Capabilities, no_new_privs and Landlock are a thread's own: execve must
	// happen on the thread that they were applied to.
	runtime.LockOSThread()
	if err := o.apply(); err != nil {
		return err
	}
	return fmt.Errorf("start %s: %w", f.Arg(0), syscall.Exec(f.Arg(0), f.Args(), os.Environ()))
}

func (o Options) apply() error {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(o.OOM)), 0); err != nil {
		return fmt.Errorf("set oom_score_adj: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if err := syscall.Setgroups(slices.Clone(o.Groups)); err != nil {
		return fmt.Errorf("set groups %v: %w", o.Groups, err)
	}
	if err := syscall.Setresgid(o.Group, o.Group, o.Group); err != nil {
		return fmt.Errorf("set group %d: %w", o.Group, err)
	}
	// Root gets after execve what the bounding set holds, so this is what counts.
	if err := o.bound(); err != nil {
		return err
	}
	if o.Write != nil {
		if err := landlock(o.Write); err != nil {
			return err
		}
	}
	if err := syscall.Setresuid(o.User, o.User, o.User); err != nil {
		return fmt.Errorf("set user %d: %w", o.User, err)
	}
	return nil
}

// bound takes all capabilities but the named ones out of the bounding set.
func (o Options) bound() error {
	keep := map[uintptr]bool{}
	for _, n := range o.Capabilities {
		c, ok := capabilities[n]
		if !ok {
			return fmt.Errorf("capability %q is not known", n)
		}
		keep[c] = true
	}
	for c := uintptr(0); c < 64; c++ {
		if keep[c] {
			continue
		}
		switch err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err {
		case nil:
		case unix.EINVAL: // past the last one that the kernel knows
			return nil
		default:
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return nil
}
