package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/firmware/release"
	"wirepatch/images/disk"
)

// installer writes the stick's image. It starts one program, which is the
// firmware with the packed disk laid over its initramfs: so one signature covers
// what asks and what is written, and the stick may be pulled once it runs.
func (i *image) installer(ctx context.Context) (string, error) {
	target := filepath.Join(i.out, "wirepatch-installer.img")
	err := i.once(sum(i.firmware)+sum(i.loader), target, func() error {
		initrd, err := os.ReadFile(filepath.Join(i.out, "initramfs.cpio.zst"))
		if err != nil {
			return err
		}
		carried, err := i.carried(filepath.Join(i.out, "wirepatch.img"))
		if err != nil {
			return err
		}
		// The kernel unpacks archives one after the other, each at a multiple of four.
		initrd = append(initrd, make([]byte, (4-len(initrd)%4)%4)...)
		program, err := i.program(append(initrd, carried...))
		if err != nil {
			return err
		}
		files := map[string][]byte{"EFI/BOOT/BOOTX64.EFI": program}
		if i.certificate != nil {
			files["EFI/keys/wirepatch.cer"] = i.certificate
		}
		if err := disk.WriteStick(target+".new", files); err != nil {
			return err
		}
		return os.Rename(target+".new", target)
	})
	return filepath.Base(target), err
}

// carried is an archive with the packed disk image.
func (i *image) carried(raw string) ([]byte, error) {
	packed, err := packImage(raw)
	if err != nil {
		return nil, err
	}
	name := release.DiskPath[1:]
	records := []cpio.Record{cpio.Directory(filepath.Dir(name), 0o755), cpio.StaticFile(name, string(packed), 0o644)}
	for k := range records {
		records[k].Ino, records[k].MTime, records[k].UID, records[k].GID, records[k].NLink = uint64(k+1), 0, 0, 0, 1
	}
	var out bytes.Buffer
	w := cpio.Newc.Writer(&out)
	if err := cpio.WriteRecords(w, records); err != nil {
		return nil, fmt.Errorf("write cpio: %w", err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return nil, fmt.Errorf("write cpio: %w", err)
	}
	return out.Bytes(), nil
}

// packImage packs a disk image so that its length is told at the beginning.
func packImage(raw string) ([]byte, error) {
	f, err := os.Open(raw)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out bytes.Buffer
	// What fills the disk is packed already.
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	z.ResetContentSize(&out, disk.Size)
	if _, err := z.ReadFrom(f); err != nil {
		return nil, fmt.Errorf("pack %s: %w", raw, err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", raw, err)
	}
	return out.Bytes(), nil
}
