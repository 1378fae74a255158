// Command build builds the appliance's image for one board: the kernel, the
// initramfs that holds everything else, both as one unified kernel image, and the
// disk that starts it. It needs apt, dpkg-deb and Go, and no root.
//
//	go run ./images/build -board qemu -out out
//
// It writes into the folder out
//
//	vmlinuz              the kernel
//	initramfs.cpio.zst   everything else
//	vmlinux              the kernel unpacked, for QEMU's direct boot
//	wirepatch.efi        kernel and initramfs in one, as a firmware slot holds it
//	wirepatch.img        the disk; wirepatch.qcow2 the same for QEMU
//	wirepatch-installer.img  a stick that writes the disk to a machine's own
//	linuxx64.efi.stub    what wirepatch.efi begins with
//	bom.json             what it was made of, in short; wirepatch.spdx.json in full
//	cache/               what a second build need not do again
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"wirepatch/board"
)

// limit is the largest image (kernel and initramfs), in bytes.
const limit = 48_000_000

type options struct {
	board    string
	out      string
	root     string
	programs []string
	shell    bool
	trust    string
	secure   string
	suite    string
	revision int
}

func main() {
	var o options
	flag.StringVar(&o.board, "board", "qemu", "board to build for: "+strings.Join(board.Names(), ", "))
	flag.StringVar(&o.out, "out", "out", "folder to write to")
	flag.StringVar(&o.root, "root", ".", "folder of the source tree")
	flag.BoolVar(&o.shell, "debug-shell", false, "offer a root shell without password on the console; for tests, not for the field")
	flag.StringVar(&o.trust, "trust", "", "root of trust for updates, as `go run ./firmware repo root` prints it; without it the image takes none")
	flag.StringVar(&o.secure, "secureboot", "", "folder of the Secure Boot key to sign with, as `go run ./firmware secureboot FOLDER NAME` makes it; development: one that the build makes for itself; without it the image is not signed")
	flag.StringVar(&o.suite, "kernel-suite", "", "take the newest kernel of another suite of Debian's, as trixie-backports, in place of the 6.12 that the appliance is tested with")
	flag.IntVar(&o.revision, "definitions", 0, "revision of the definitions in this image; packs with a higher one take their place")
	programs := flag.String("programs", "init,dataplane,mgmt,firmware/updated", "our programs to put in; fewer only while one of them does not compile")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "build: unexpected argument %q; see -help\n", flag.Arg(0))
		os.Exit(2)
	}
	o.programs = strings.Split(*programs, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if _, err := os.Stat(filepath.Join(o.root, "go.mod")); err != nil {
		return fmt.Errorf("no source tree in %q; run it in the repository or give -root", o.root)
	}
	text, err := board.Text(o.board)
	if err != nil {
		return err
	}
	b, err := board.Parse(text)
	if err != nil {
		return fmt.Errorf("board/%s.ini: %w", o.board, err)
	}
	i := &image{options: o, board: b, boardText: text, cache: filepath.Join(o.out, "cache")}
	steps := []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"kernel package", i.fetch},
		{"kernel and modules", i.takeKernel},
		{"programs", i.compile},
		{"repair of file systems", i.fetchChecker},
		{"Secure Boot key", i.readKey},
		{"initramfs", i.pack},
		{"boot loader", i.fetchLoader},
		{"unified kernel image", i.unify},
		{"disk", i.disk},
		{"installer", i.installer},
		{"bill of materials", i.bill},
		{"sizes", i.check},
	}
	for n, s := range steps {
		fmt.Printf("[%d/%d] %s\n", n+1, len(steps), s.what)
		result, err := s.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		fmt.Printf("      %s\n", result)
	}
	return nil
}
