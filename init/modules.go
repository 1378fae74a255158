package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const moduleFolder = "/lib/modules/"

// module is one line of the image's load order.
type module struct {
	name     string
	optional bool
}

// parseOrder reads the load order: a module's name and perhaps "optional" on
// each line.
func parseOrder(r io.Reader) ([]module, error) {
	var out []module
	s := bufio.NewScanner(r)
	for s.Scan() {
		f := strings.Fields(s.Text())
		switch {
		case len(f) == 1:
			out = append(out, module{name: f[0]})
		case len(f) == 2 && f[1] == "optional":
			out = append(out, module{name: f[0], optional: true})
		case len(f) > 0:
			return nil, fmt.Errorf("module order: got line %q, want a name and perhaps optional", s.Text())
		}
	}
	return out, s.Err()
}

func (b *box) loadModules() {
	f, err := os.Open(moduleFolder + "order")
	if err != nil {
		b.missingModules = append(b.missingModules, "order")
		b.journal.Logf("modules: %v", err)
		return
	}
	defer f.Close()
	all, err := parseOrder(f)
	if err != nil {
		b.journal.Logf("%v", err)
	}
	loaded := 0
	for _, m := range all {
		err := load(moduleFolder + m.name + ".ko")
		switch {
		case err == nil:
			loaded++
			if m.name == b.board.Watchdog.Driver {
				b.armWatchdog()
			}
		case !m.optional:
			b.missingModules = append(b.missingModules, m.name)
			b.journal.Logf("module %s: %v", m.name, err)
		}
	}
	b.journal.Logf("%d kernel modules", loaded)
	if b.board.Watchdog.Driver == "" && b.board.Watchdog.Device != "" {
		b.armWatchdog()
	}
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}
