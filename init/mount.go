package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mountpoint is one file system to mount.
type mountpoint struct {
	source, target, fstype string
	flags                  uintptr
	options                string
}

const closed = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

var kernelFilesystems = []mountpoint{
	{"proc", "/proc", "proc", closed, ""},
	{"sys", "/sys", "sysfs", closed, ""},
	{"dev", "/dev", "devtmpfs", unix.MS_NOSUID | unix.MS_NOEXEC, "mode=0755"},
	{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "mode=0620,ptmxmode=0666"},
	{"run", "/run", "tmpfs", closed, "mode=0755,size=16m"},
	{"tmp", "/tmp", "tmpfs", closed, "mode=1777,size=16m"},
	{"bpf", "/sys/fs/bpf", "bpf", closed, "mode=0700"},
}

// The users of the image: see images/build.
const (
	mgmtUser     = 900
	mgmtGroup    = 900
	controlGroup = 901 // may open the dataplane's socket
)

const (
	runFolder  = "/run/wirepatch"
	pinFolder  = "/sys/fs/bpf/wirepatch"
	dataFolder = "/data"
	mgmtFolder = "/data/mgmt"
	dataLabel  = "wirepatch-data"
)

func mountKernelFilesystems() error {
	unix.Umask(0o022)
	var errs []error
	for _, m := range kernelFilesystems {
		errs = append(errs, m.mount())
	}
	for _, d := range []string{runFolder, pinFolder} {
		errs = append(errs, os.MkdirAll(d, 0o755))
	}
	return errors.Join(append(errs, os.Chmod(pinFolder, 0o700))...)
}

func (m mountpoint) mount() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.options); err != nil {
		return fmt.Errorf("mount %s: %w", m.target, err)
	}
	return nil
}
