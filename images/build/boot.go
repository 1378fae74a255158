package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wirepatch/board"
	"wirepatch/firmware/release"
	"wirepatch/firmware/secureboot"
	"wirepatch/firmware/slot"
	"wirepatch/firmware/uki"
	"wirepatch/images/deb"
	"wirepatch/images/disk"
	"wirepatch/images/qcow2"
)

// bootSeries is the series of systemd-boot that images use. Boot counting broke
// in several later ones, so another is not taken without its tests.
const bootSeries = "252."

// loaderConf starts the newest slot that is not given up, at once; nothing can
// be typed at it.
const loaderConf = "timeout 0\neditor no\nauto-entries no\nauto-firmware no\nrandom-seed-mode off\n"

// The files of the package systemd-boot-efi.
const (
	bootFolder = "usr/lib/systemd/boot/efi"
	loaderFile = "systemd-bootx64.efi"
	stubFile   = "linuxx64.efi.stub"
)

func (i *image) fetchLoader(ctx context.Context) (string, error) {
	p, err := deb.Fetch(ctx, deb.Query{Name: "systemd-boot-efi"}, i.cache, os.Stdout)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(p.Version, bootSeries) {
		return "", fmt.Errorf("the archive has systemd-boot %s; want the %s series, whose boot counting is tested", p.Version, bootSeries+"x")
	}
	i.packages = append(i.packages, p)
	dir, err := p.Unpack(ctx, i.cache)
	if err != nil {
		return "", err
	}
	if i.loader, err = os.ReadFile(filepath.Join(dir, bootFolder, loaderFile)); err != nil {
		return "", err
	}
	i.stub, err = os.ReadFile(filepath.Join(dir, bootFolder, stubFile))
	return p.Version, err
}

// fetchChecker gets the one foreign program of the image, which repairs the data
// partition.
func (i *image) fetchChecker(ctx context.Context) (string, error) {
	p, err := deb.Fetch(ctx, deb.Query{Name: "e2fsck-static"}, i.cache, os.Stdout)
	if err != nil {
		return "", err
	}
	i.packages = append(i.packages, p)
	dir, err := p.Unpack(ctx, i.cache)
	if err != nil {
		return "", err
	}
	i.checker, err = os.ReadFile(filepath.Join(dir, "sbin", "e2fsck.static"))
	return "e2fsck " + p.Version, err
}

// commandLine is the kernel's. A kernel that panics restarts, so that boot
// counting goes on; where there is a bypass relay at once, for the restart is what
// lets it go.
func commandLine(b *board.Board) string {
	var all []string
	for _, c := range b.Consoles {
		if c.Speed > 0 {
			all = append(all, fmt.Sprintf("console=%s,%d", c.Device, c.Speed))
		} else {
			all = append(all, "console="+c.Device)
		}
	}
	panics := "panic=10"
	if b.Bypass.Chip != "" {
		panics = "panic=1"
	}
	return strings.Join(append(append(all, b.KernelOptions...), panics, "oops=panic", "quiet"), " ")
}

// unify writes the unified kernel image, which is a firmware slot's content and
// what an update brings.
func (i *image) unify(context.Context) (string, error) {
	initrd, err := os.ReadFile(filepath.Join(i.out, "initramfs.cpio.zst"))
	if err != nil {
		return "", err
	}
	if i.key != nil {
		if i.loader, err = i.key.Sign(i.loader); err != nil {
			return "", err
		}
	}
	if i.firmware, err = i.program(initrd); err != nil {
		return "", err
	}
	if err := writeChanged(filepath.Join(i.out, stubFile), i.stub); err != nil {
		return "", err
	}
	name := "wirepatch.efi"
	register, err := uki.Measure(bytes.NewReader(i.firmware))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %.1f MB; a TPM's PCR %d after its start: %x", name, float64(len(i.firmware))/1e6, uki.MeasuredIn, register), writeChanged(filepath.Join(i.out, name), i.firmware)
}

// readKey reads the key that the image is to be signed with.
func (i *image) readKey(context.Context) (string, error) {
	if i.secure == "" {
		return "none: the image is not signed", nil
	}
	if i.shell {
		return "", errors.New("an image with a shell is not signed: on every machine that trusts the key it would open the secrets to whoever starts it; leave out -debug-shell or -secureboot")
	}
	folder, err := i.keyFolder()
	if err != nil {
		return "", err
	}
	if i.key, err = secureboot.Read(folder); err != nil {
		return "", err
	}
	// The certificate that machines are to trust goes onto the disk, where their
	// set-up finds it.
	i.certificate = i.key.Certificate.Raw
	return i.key.Certificate.Subject.CommonName, nil
}

// development stands for the folder of a key that the build makes for itself. Only
// by that name: a folder that was misspelt is not to sign a release with a new key.
const development = "development"

// keyFolder is where the key lies.
func (i *image) keyFolder() (string, error) {
	if i.secure != development {
		return i.secure, nil
	}
	folder := filepath.Join(i.cache, "secureboot-"+development)
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return folder, err
	}
	return folder, secureboot.Make(folder, "Wirepatch development, not for the field", time.Now())
}

// enrolment adds what machines in setup mode are to be told.
func (i *image) enrolment(text func(string, uint64, []byte)) error {
	if i.key == nil {
		return nil
	}
	text(secureboot.Folder[1:]+"/"+secureboot.EnrolFile, 0o644, i.certificate)
	for _, v := range secureboot.Variables {
		update, err := i.key.Enrolment(v)
		if err != nil {
			return err
		}
		text(secureboot.Folder[1:]+"/"+v.Name+".auth", 0o644, update)
	}
	return nil
}

// program is what machines start: kernel and initramfs in one, signed if there
// is a key.
func (i *image) program(initrd []byte) ([]byte, error) {
	kernel, err := os.ReadFile(filepath.Join(i.out, "vmlinuz"))
	if err != nil {
		return nil, err
	}
	about := uki.About{Version: release.Version, Board: i.board.Name}
	out, err := uki.Add(i.stub,
		uki.Section{Name: uki.OSRelease, Data: about.Text()},
		uki.Section{Name: uki.Cmdline, Data: []byte(commandLine(i.board))},
		uki.Section{Name: uki.Uname, Data: []byte(i.kernel.Release())},
		uki.Section{Name: uki.Initrd, Data: initrd},
		uki.Section{Name: uki.Linux, Data: kernel})
	if err != nil || i.key == nil {
		return out, err
	}
	return i.key.Sign(out)
}

// disk writes the disk image, raw and for QEMU.
func (i *image) disk(context.Context) (string, error) {
	files := map[string][]byte{
		"EFI/BOOT/BOOTX64.EFI":          i.loader,
		"EFI/systemd/" + loaderFile:     i.loader,
		"loader/loader.conf":            []byte(loaderConf),
		slot.Folder + "/" + firstSlot(): i.firmware,
	}
	if i.certificate != nil {
		files["EFI/keys/wirepatch.cer"] = i.certificate
	}
	raw := filepath.Join(i.out, "wirepatch.img")
	err := i.once(sum(i.firmware)+sum(i.loader), raw, func() error {
		if err := disk.Write(raw+".new", files); err != nil {
			return err
		}
		return os.Rename(raw+".new", raw)
	})
	if err != nil {
		return "", err
	}
	return "wirepatch.img, wirepatch.qcow2", i.packDisk(raw)
}

// firstSlot is the file of the slot that a new disk has. Its tries count down
// as those of an update do, until it has proved itself on this machine.
func firstSlot() string {
	return slot.Slot{Version: release.Version, Counting: true, Left: slot.Tries}.File()
}

func (i *image) packDisk(raw string) error {
	target := filepath.Join(i.out, "wirepatch.qcow2")
	return i.once(sum(i.firmware)+sum(i.loader), target, func() error {
		from, err := os.Open(raw)
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := os.Create(target + ".new")
		if err != nil {
			return err
		}
		defer to.Close()
		if err := qcow2.Write(to, from, disk.Size); err != nil {
			return err
		}
		return os.Rename(target+".new", target)
	})
}
