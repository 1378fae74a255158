// Command init is the appliance's first process. It mounts, loads kernel
// modules, finds the ports that the board file describes, brings them up, runs
// dataplane and mgmt each in a process of its own, keeps the management address
// and shows status and menu on the consoles. It touches no frame and serves no
// page.
//
// Under the names poweroff, reboot, shell, settings and confine it is a few small programs
// that only make sense beside it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"wirepatch/init/confine"
)

func main() {
	var err error
	switch name := filepath.Base(os.Args[0]); name {
	case "poweroff":
		err = tellInit(signalPowerOff)
	case "reboot":
		err = tellInit(signalReboot)
	case "confine":
		err = confine.Main(os.Args[1:])
	case "settings":
		err = askSettings(os.Args[1:], os.Stdin, os.Stdout)
	case "shell":
		err = shell(os.Stdin, os.Stdout, os.Stderr)
	default:
		if os.Getpid() != 1 {
			err = fmt.Errorf("it is the appliance's first process and does nothing elsewhere; build an image with `go run ./images/build`")
			break
		}
		boot(context.Background())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

func tellInit(s syscall.Signal) error {
	if err := syscall.Kill(1, s); err != nil {
		return fmt.Errorf("tell the first process: %w", err)
	}
	return nil
}
