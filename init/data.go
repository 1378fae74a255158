package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/firmware/slot"
	"wirepatch/init/datafs"
	"wirepatch/init/superblock"
)

// mountData mounts the data partition, or memory in its place, and says which.
func (b *box) mountData() string {
	what := b.mountPartition()
	if what == "" {
		what = "none found: settings last until power-off"
		b.journal.Logf("no file system labelled %s: settings and history last until power-off; mkfs.ext4 -L %s on a disk keeps them", dataLabel, dataLabel)
	}
	b.finishReset()
	// mgmt keeps what it has in a folder of its own.
	b.step("folder of the management page", func() error {
		if err := os.MkdirAll(mgmtFolder, 0o700); err != nil {
			return err
		}
		return errors.Join(os.Chown(mgmtFolder, mgmtUser, mgmtGroup), os.Chmod(mgmtFolder, 0o700))
	})
	return what
}

func (b *box) mountPartition() string {
	device := b.findData()
	if device != "" {
		err := b.prepareData(device)
		if err == nil {
			m := mountpoint{device, dataFolder, "ext4", closed | unix.MS_NOATIME, ""}
			err = m.mount()
		}
		if err == nil {
			b.step("data partition", func() error { return datafs.Grow(dataFolder, device) })
			return "ext4 " + device
		}
		b.journal.Logf("data partition %s: %v; using memory instead, so settings last until power-off", device, err)
	}
	b.onMemory = true
	m := mountpoint{"data", dataFolder, "tmpfs", closed, "mode=0755,size=64m"}
	b.step("memory for data", m.mount)
	if device != "" {
		return device + " cannot be mounted: settings last until power-off"
	}
	return ""
}

// prepareData makes the file system on a partition that never had one, and
// repairs one that it has.
func (b *box) prepareData(device string) error {
	if datafs.Fresh(device) {
		b.journal.Logf("data partition %s is new: making its file system", device)
		return datafs.Make(device)
	}
	if _, err := os.Stat(datafs.Checker); err != nil {
		return nil
	}
	said, err := datafs.Check(context.Background(), b.runChild, device)
	if said != "" {
		b.journal.Logf("data partition %s: repaired: %s", device, said)
	}
	return err
}

// runChild runs a program to its end.
func (b *box) runChild(ctx context.Context, c *exec.Cmd) (int, error) {
	pid, ended, err := b.reaper.Start(c)
	if err != nil {
		return 0, err
	}
	for {
		select {
		case s := <-ended:
			if !s.Exited() {
				return 0, fmt.Errorf("ended by signal %v", s.Signal())
			}
			return s.ExitStatus(), nil
		case <-time.After(time.Second):
			// It has its own time; the watchdog need not count that.
			b.pulse.beat()
		case <-ctx.Done():
			syscall.Kill(pid, syscall.SIGKILL)
			<-ended
			return 0, context.Cause(ctx)
		}
	}
}

// findData finds the data partition: the one so named on the disk that was
// started from, else a file system with that label. It looks for half a second:
// disks may still be coming up.
func (b *box) findData() string {
	for range 10 {
		if d := dataBeside(slot.Partitions("/sys/class/block", "/dev"), b.running.boot.Partition); d != "" {
			return d
		}
		if d := superblock.Find("/sys/class/block", "/dev", dataLabel); d != "" {
			return d
		}
		time.Sleep(50 * time.Millisecond)
	}
	return ""
}

// dataBeside returns the data partition on the disk of the EFI system partition
// with that GUID.
func dataBeside(all []slot.Partition, guid string) string {
	disk := ""
	for _, p := range all {
		if guid != "" && p.GUID == guid {
			disk = p.Disk
		}
	}
	for _, p := range all {
		if p.Disk == disk && p.Name == dataLabel {
			return p.Device
		}
	}
	return ""
}
