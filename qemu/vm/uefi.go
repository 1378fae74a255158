package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ovmf is where Debian's package ovmf puts the firmware for virtual machines.
const ovmf = "/usr/share/OVMF/"

// firmware returns the arguments for a start through UEFI.
func (c *Config) firmware() []string {
	code := "OVMF_CODE_4M.fd"
	var args []string
	if c.SecureBoot {
		code = "OVMF_CODE_4M.secboot.fd"
		// Without it the running system could write the keys.
		args = append(args, "-machine", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on")
	}
	return append(args, "-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+ovmf+code,
		"-drive", "if=pflash,format=raw,unit=1,file="+escape(c.vars()))
}

func (c *Config) vars() string {
	if c.Vars != "" {
		return c.Vars
	}
	return filepath.Join(c.Dir, "vars.fd")
}

// makeVars gives the machine UEFI variables of its own, as new ones have them.
func (c *Config) makeVars() error {
	if _, err := os.Stat(c.vars()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := os.ReadFile(ovmf + "OVMF_VARS_4M.fd")
	if err != nil {
		return fmt.Errorf("%w (make setup installs it)", err)
	}
	return os.WriteFile(c.vars(), b, 0o644)
}
