package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A stick with update files is looked at once, when it appears.
const (
	stickEvery  = 3 * time.Second
	stickFolder = "/run/wirepatch/stick"
	updateFile  = "*.update"
	blockFolder = "/sys/class/block"
)

// watchSticks takes the updates that somebody brings on a stick: files that end
// in .update, on a FAT file system. They are verified as all others are, so that
// a stick needs no more trust than a network. Who plugs it in stands before the
// box, so firmware is put in at once.
func (d *daemon) watchSticks(ctx context.Context) {
	// What is there from the beginning is the box's own.
	known := blocks()
	for t := time.NewTicker(stickEvery); ; {
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		now := blocks()
		for n := range now {
			if !known[n] {
				d.stick(ctx, "/dev/"+n)
			}
		}
		known = now
	}
}

func blocks() map[string]bool {
	out := map[string]bool{}
	all, _ := os.ReadDir(blockFolder)
	for _, e := range all {
		out[e.Name()] = true
	}
	return out
}

// stick takes what is on one file system.
func (d *daemon) stick(ctx context.Context, device string) {
	if err := os.MkdirAll(stickFolder, 0o700); err != nil {
		d.logf("stick: %v", err)
		return
	}
	const flags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount(device, stickFolder, "vfat", flags, ""); err != nil {
		return // a disk with partitions, or another file system
	}
	defer unix.Unmount(stickFolder, unix.MNT_DETACH)
	all, _ := filepath.Glob(filepath.Join(stickFolder, updateFile))
	for _, p := range all {
		d.logf("update %s on %s", filepath.Base(p), device)
		d.work.Lock()
		err := d.copyIn(ctx, p)
		d.ended(err)
		d.work.Unlock()
	}
}

// copyIn copies a file from the stick, which may be pulled out at any time, and
// takes it.
func (d *daemon) copyIn(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || strings.HasPrefix(st.Name(), ".") {
		return errors.New("it is no plain file")
	}
	if err := d.upload(ctx, f, st.Size(), true); err != nil {
		return fmt.Errorf("%s: %w", st.Name(), err)
	}
	return nil
}
