package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"

	"wirepatch/board/settings"
	"wirepatch/firmware/pack"
	"wirepatch/firmware/release"
)

// The users of the image. init runs the dataplane as root with few
// capabilities, and mgmt as its own user; its group may open the dataplane's
// socket.
const (
	passwd = "root:x:0:0:root:/:/bin/shell\nmgmt:x:900:900:management:/data/mgmt:/bin/false\n"
	group  = "root:x:0:\nmgmt:x:900:\ncontrol:x:901:mgmt\n"
	hosts  = "127.0.0.1 localhost\n::1 localhost\n"
)

// pack writes the initramfs. Every entry has the same time and owner, and they
// come in order, so that the same source gives the same bytes.
func (i *image) pack(context.Context) (string, error) {
	records, err := i.records()
	if err != nil {
		return "", err
	}
	var plain bytes.Buffer
	w := cpio.Newc.Writer(&plain)
	if err := cpio.WriteRecords(w, records); err != nil {
		return "", fmt.Errorf("write cpio: %w", err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return "", fmt.Errorf("write cpio: %w", err)
	}
	target := filepath.Join(i.out, "initramfs.cpio.zst")
	err = i.once(sum(plain.Bytes()), target, func() error { return compress(target, plain.Bytes()) })
	if err != nil {
		return "", err
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", err
	}
	i.size += info.Size()
	return fmt.Sprintf("%d entries, %.1f MB, packed %.1f MB", len(records), float64(plain.Len())/1e6, float64(info.Size())/1e6), nil
}

func compress(target string, plain []byte) error {
	// One worker: how the input is cut must not hang on the machine. The
	// kernel refuses windows over 128 MB.
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
	if err != nil {
		return err
	}
	defer z.Close()
	return writeFile(target, z.EncodeAll(plain, nil))
}

// records lists what is in the initramfs, folders first.
func (i *image) records() ([]cpio.Record, error) {
	files := map[string]cpio.Record{}
	add := func(r cpio.Record) { files[r.Name] = r }
	text := func(name string, mode uint64, b []byte) { add(cpio.StaticFile(name, string(b), mode)) }

	binary, err := os.ReadFile(i.binary())
	if err != nil {
		return nil, err
	}
	text("bin/bb", 0o755, binary)
	add(cpio.Symlink("init", "bin/bb"))
	text("bin/e2fsck", 0o755, i.checker)
	for _, n := range append(slices.Sorted(maps.Keys(aliases)), i.names...) {
		add(cpio.Symlink("bin/"+n, "bb"))
	}
	// The kernel opens it for init before anything is mounted.
	add(cpio.CharDev("dev/console", 0o600, 5, 1))
	text("etc/passwd", 0o644, []byte(passwd))
	text("etc/group", 0o644, []byte(group))
	text("etc/hosts", 0o644, []byte(hosts))
	add(cpio.Symlink("etc/resolv.conf", "/run/resolv.conf"))
	text("etc/wirepatch/board.ini", 0o644, i.boardText)
	if err := i.configuration(text); err != nil {
		return nil, err
	}
	var order bytes.Buffer
	for _, m := range i.modules {
		text("lib/modules/"+m.Name+".ko", 0o644, m.Image)
		fmt.Fprint(&order, m.Name)
		if m.Optional {
			fmt.Fprint(&order, " optional")
		}
		fmt.Fprintln(&order)
	}
	text("lib/modules/order", 0o644, order.Bytes())
	return sorted(files), nil
}

// configuration adds the release file, the settings to begin with and the
// definitions.
func (i *image) configuration(text func(string, uint64, []byte)) error {
	programs, err := os.ReadFile(i.binary())
	if err != nil {
		return err
	}
	about, err := (&release.Release{Version: release.Version, Board: i.board.Name, Kernel: i.kernel.Release(),
		KernelPackage: i.kernel.Name, KernelVersion: i.kernel.Version, KernelSHA256: i.kernel.SHA256, Definitions: i.revision, Programs: sum(programs), DebugShell: i.shell}).Text()
	if err != nil {
		return err
	}
	text("etc/wirepatch/release", 0o644, about)
	if err := i.enrolment(text); err != nil {
		return err
	}
	if i.trust != "" {
		root, err := os.ReadFile(i.trust)
		if err != nil {
			return err
		}
		text("etc/wirepatch/root.json", 0o644, root)
	}
	b, err := os.ReadFile(filepath.Join(i.root, "images", "appliance.ini"))
	if err != nil {
		return err
	}
	if _, err := settings.Parse(b); err != nil {
		return fmt.Errorf("images/appliance.ini: %w", err)
	}
	text("etc/wirepatch/appliance.ini", 0o644, b)
	all, err := pack.Collect(os.DirFS(filepath.Join(i.root, "definitions")), 1)
	if err != nil {
		return err
	}
	for n, b := range all.Files {
		text("etc/wirepatch/definitions/"+n, 0o644, b)
	}
	return nil
}

// folders are those that must be there, though nothing lies in them.
var folders = map[string]uint64{"data": 0o755, "dev": 0o755, "etc/wirepatch/definitions": 0o755, "proc": 0o555, "run": 0o755, "sys": 0o555, "tmp": 0o1777}

func sorted(files map[string]cpio.Record) []cpio.Record {
	modes := maps.Clone(folders)
	for _, n := range append(slices.Collect(maps.Keys(files)), slices.Collect(maps.Keys(folders))...) {
		for d := path.Dir(n); d != "."; d = path.Dir(d) {
			if _, ok := modes[d]; !ok {
				modes[d] = 0o755
			}
		}
	}
	var out []cpio.Record
	for _, d := range slices.Sorted(maps.Keys(modes)) {
		out = append(out, cpio.Directory(d, modes[d]))
	}
	for _, n := range slices.Sorted(maps.Keys(files)) {
		out = append(out, files[n])
	}
	for k := range out {
		// Numbered, because entries with the same inode are taken for links.
		out[k].Ino, out[k].MTime, out[k].UID, out[k].GID, out[k].NLink = uint64(k+1), 0, 0, 0, 1
	}
	return out
}
