// Command updated keeps the appliance up to date: it looks into the update
// repository now and then, takes updates that somebody brings as a file, and puts
// what package update has verified to use. It serves a small API on a unix
// socket, for the management page and the console. init runs it; it alone writes
// to the firmware slots beside init.
//
// With arguments it is a client of that socket: updated status, check, install,
// upload FILE.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"wirepatch/board/settings"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/release"
	"wirepatch/firmware/update"
)

type options struct {
	socket, data, settings, root, definitions, control, state string
}

func main() {
	var o options
	flag.StringVar(&o.socket, "socket", update.Socket, "unix socket to serve the API on")
	flag.StringVar(&o.data, "data", update.Dir, "folder for metadata, downloads and definition packs")
	flag.StringVar(&o.settings, "settings", settings.DefaultPath, "the appliance.ini in force")
	flag.StringVar(&o.root, "root", release.RootPath, "root of trust that the image carries")
	flag.StringVar(&o.definitions, "definitions", update.Link, "link that leads the dataplane to the definitions in force")
	flag.StringVar(&o.control, "control", control.Socket, "the dataplane's socket")
	flag.StringVar(&o.state, "state", state.Path, "file in which init says which slots there are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := func() error { return run(ctx, o) }
	if flag.NArg() > 0 {
		do = func() error { return ask(ctx, o.socket, flag.Args(), os.Stdout) }
	}
	if err := do(); err != nil {
		fmt.Fprintf(os.Stderr, "updated: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	r, err := release.Read(release.Path)
	if err != nil {
		return err
	}
	root, err := os.ReadFile(o.root)
	if err != nil {
		return fmt.Errorf("%w; this image carries no root of trust and takes no updates; build it with make image TRUST=root.json", err)
	}
	s, err := settings.Read(o.settings)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	_, revision := update.InUse(o.data, r.Definitions)
	d := &daemon{options: o, ctx: ctx, release: *r, settings: s.Firmware, wire: control.Dial(o.control), logf: logf, wake: make(chan struct{}, 1),
		client: update.Client{Root: root, Dir: o.data, Board: r.Board, Version: r.Version, Revision: revision, Now: now}}
	d.status.State, d.status.Version, d.status.Board, d.status.Revision = update.Idle, r.Version, r.Board, revision
	d.readHistory()
	// What an upload that was broken off left.
	if all, err := filepath.Glob(filepath.Join(o.data, "upload-*")); err == nil {
		for _, p := range all {
			os.Remove(p)
		}
	}
	d.resumePlan()
	go d.schedule(ctx)
	go d.watchSticks(ctx)
	return d.serve(ctx)
}

// now is the box's clock, which never runs below the firmware's day.
func now() time.Time {
	if t := time.Now(); t.After(release.Released) {
		return t
	}
	return release.Released
}

func logf(format string, a ...any) { fmt.Printf(format+"\n", a...) }
