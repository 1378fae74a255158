package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/init/superblock"
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

// mountData mounts the data partition, or memory in its place, and says which.
func (b *box) mountData() string {
	what := b.mountPartition()
	if what == "" {
		what = "none found: settings last until power-off"
		b.journal.Logf("no file system labelled %s: settings and history last until power-off; mkfs.ext4 -L %s on a disk keeps them", dataLabel, dataLabel)
	}
	// mgmt is the only one that keeps anything, in a folder of its own.
	b.step("folder of the management page", func() error {
		if err := os.MkdirAll(mgmtFolder, 0o700); err != nil {
			return err
		}
		return errors.Join(os.Chown(mgmtFolder, mgmtUser, mgmtGroup), os.Chmod(mgmtFolder, 0o700))
	})
	return what
}

func (b *box) mountPartition() string {
	device := findData()
	if device != "" {
		m := mountpoint{device, dataFolder, "ext4", closed | unix.MS_NOATIME, ""}
		err := m.mount()
		if err == nil {
			return "ext4 " + device
		}
		b.journal.Logf("data partition %s: %v; using memory instead, so settings last until power-off", device, err)
	}
	m := mountpoint{"data", dataFolder, "tmpfs", closed, "mode=0755,size=64m"}
	b.step("memory for data", m.mount)
	if device != "" {
		return device + " cannot be mounted: settings last until power-off"
	}
	return ""
}

// findData looks for half a second: disks may still be coming up.
func findData() string {
	for range 10 {
		if d := superblock.Find("/sys/class/block", "/dev", dataLabel); d != "" {
			return d
		}
		time.Sleep(50 * time.Millisecond)
	}
	return ""
}
