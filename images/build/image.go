package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"wirepatch/board"
	"wirepatch/firmware/release"
	"wirepatch/firmware/secureboot"
	"wirepatch/images/deb"
	"wirepatch/images/kernel"
	"wirepatch/images/modules"
	"wirepatch/images/multicall"
)

// kernelSeries is the meta package of the kernel series that images use.
const kernelSeries = "linux-image-6.12-amd64"

// kernelOfSuite is that of the kernel of another suite of Debian's.
const kernelOfSuite = "linux-image-amd64"

// commands are the u-root commands for a technician at the console. go.mod
// names each of them as a tool, so that their modules stay in it.
var commands = []string{
	"cat", "chmod", "cp", "date", "df", "dmesg", "du", "echo", "find", "free", "grep", "head", "hexdump", "hostname", "id", "ip",
	"kill", "ln", "ls", "lsmod", "mkdir", "more", "mount", "mv", "netstat", "pidof", "ping", "ps", "readlink", "rm", "shasum",
	"sleep", "stty", "sync", "tail", "touch", "umount", "uptime", "wc", "wget",
}

// firmwareModules are those that every board needs for its disk's EFI system
// partition, the firmware's variables and the data partition with its encrypted
// folder.
var firmwareModules = []string{"vfat", "nls_cp437", "nls_ascii", "efivarfs", "ext4", "xts", "cts"}

// aliases are further names of our programs.
var aliases = map[string]string{"poweroff": "init", "reboot": "init", "confine": "init", "shell": "init", "settings": "init"}

// image is an image as it comes together, step by step.
type image struct {
	options
	board     *board.Board
	boardText []byte
	cache     string

	kernel  *kernel.Kernel
	modules []modules.Module
	names   []string // of the programs in the binary
	size    int64    // kernel and initramfs so far, in bytes

	packages []*deb.Package // whose files are in the image
	loader   []byte         // systemd-boot
	stub     []byte         // systemd's, for unified kernel images
	firmware []byte         // the unified kernel image
	checker  []byte         // e2fsck

	key         *secureboot.Key // nil: the image is not signed
	certificate []byte          // its own, nil likewise
}

func (i *image) fetch(ctx context.Context) (string, error) {
	series := kernelSeries
	if i.suite != "" {
		series = kernelOfSuite
	}
	var err error
	if i.kernel, err = kernel.Fetch(ctx, i.suite, series, i.cache, os.Stdout); err != nil {
		return "", err
	}
	i.packages = append(append(i.packages, &i.kernel.Package), i.kernel.Parts...)
	return fmt.Sprintf("%s %s", i.kernel.Name, i.kernel.Version), nil
}

func (i *image) takeKernel(context.Context) (string, error) {
	vmlinuz, err := os.ReadFile(i.kernel.Vmlinuz)
	if err != nil {
		return "", err
	}
	if err := i.unpackKernel(vmlinuz); err != nil {
		return "", err
	}
	if err := writeChanged(filepath.Join(i.out, "vmlinuz"), vmlinuz); err != nil {
		return "", err
	}
	i.size += int64(len(vmlinuz))
	tree, err := modules.Open(i.kernel.Modules)
	if err != nil {
		return "", err
	}
	if i.modules, err = tree.Pick(append(slices.Clone(i.board.Modules), firmwareModules...), i.board.Optional...); err != nil {
		return "", fmt.Errorf("board %s: %w", i.board.Name, err)
	}
	return fmt.Sprintf("%s with %d modules", i.kernel.Release(), len(i.modules)), nil
}

// unpackKernel writes out/vmlinux, unless the one there is of this package.
func (i *image) unpackKernel(vmlinuz []byte) error {
	target := filepath.Join(i.out, "vmlinux")
	return i.once(i.kernel.SHA256, target, func() error {
		elf, err := kernel.Vmlinux(vmlinuz)
		if err != nil {
			return err
		}
		return writeFile(target, elf)
	})
}

func (i *image) compile(ctx context.Context) (string, error) {
	// With the underscore ./... passes over the sources that are made there.
	o := multicall.Options{Root: i.root, Work: filepath.Join(i.cache, "_multicall"), Output: i.binary(), Aliases: aliases,
		Version: release.Version, Log: os.Stderr}
	var missing []string
	for _, p := range i.programs {
		if !isProgram(filepath.Join(i.root, p)) {
			missing = append(missing, p)
			continue
		}
		o.Packages = append(o.Packages, path.Join("wirepatch", p))
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("no Go program in the folders %q; leave them out with -programs for an image without", missing)
	}
	for _, c := range commands {
		o.Packages = append(o.Packages, path.Join("github.com/u-root/u-root/cmds/core", c))
	}
	var err error
	if i.names, err = multicall.Build(ctx, o); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d programs in one binary", len(i.names)), nil
}

func (i *image) binary() string { return filepath.Join(i.cache, "bb") }

func isProgram(dir string) bool {
	all, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	return len(all) > 0
}

func (i *image) check(context.Context) (string, error) {
	if err := i.writeBill(); err != nil {
		return "", err
	}
	text := fmt.Sprintf("kernel and initramfs %.1f MB of %d MB", float64(i.size)/1e6, limit/1_000_000)
	if i.size >= limit {
		return "", fmt.Errorf("%s; take out modules, commands or dependencies", text)
	}
	return text, nil
}

// contents is the image in short.
type contents struct {
	Version  string          `json:"version"`
	Board    string          `json:"board"`
	Kernel   *kernel.Kernel  `json:"kernel"`
	Modules  []string        `json:"modules"` // in the order in which they are loaded
	Programs []string        `json:"programs"`
	Files    map[string]file `json:"files"`
}

type file struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func (i *image) writeBill() error {
	b := contents{Version: release.Version, Board: i.board.Name, Kernel: i.kernel, Programs: i.names, Files: map[string]file{}}
	for _, m := range i.modules {
		b.Modules = append(b.Modules, m.Name)
	}
	for _, n := range []string{"vmlinuz", "initramfs.cpio.zst"} {
		text, err := os.ReadFile(filepath.Join(i.out, n))
		if err != nil {
			return err
		}
		b.Files[n] = file{Bytes: len(text), SHA256: sum(text)}
	}
	text, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	return writeChanged(filepath.Join(i.out, "bom.json"), append(text, '\n'))
}

// once does something, unless target is there and what it was made from (key)
// is the same as last time.
func (i *image) once(key, target string, do func() error) error {
	absolute, err := filepath.Abs(target) // several images may have one cache
	if err != nil {
		return err
	}
	note := filepath.Join(i.cache, filepath.Base(target)+"-"+sum([]byte(absolute))[:16]+".key")
	if old, err := os.ReadFile(note); err == nil && string(old) == key {
		if _, err := os.Stat(target); err == nil {
			return nil
		}
	}
	if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return writeFile(note, []byte(key))
}
