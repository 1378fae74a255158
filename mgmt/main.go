// Mgmt is the management plane: the HTTPS page on the management port, and, as a
// process of its own on each console (-console), the menu. It
// runs without privileges; what it knows of the wire it asks the dataplane over
// a unix socket, what it knows of the box it reads from init's file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/board/command"
	"wirepatch/board/keeper"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/release"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/carry"
	"wirepatch/mgmt/certs"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/connlimit"
	"wirepatch/mgmt/cycle"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/feed"
	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/jail"
	"wirepatch/mgmt/out"
	"wirepatch/mgmt/records"
	"wirepatch/mgmt/report"
	"wirepatch/mgmt/store"
	"wirepatch/mgmt/system"
	"wirepatch/mgmt/upkeep"
	"wirepatch/mgmt/web"
	"wirepatch/mgmt/wire"
)

// Connections at once, in all and from one address.
const (
	maxConnections = 256
	maxOfOne       = 48
)

type options struct {
	listen, data, control, box, settings, keeper, definitions, command, update, ssh string
	shell                                                                           bool
}

// memoryLimit is what the collector keeps to, in bytes: each password check
// takes 19 MiB and leaves it behind.
const memoryLimit = 96 << 20

func main() {
	debug.SetMemoryLimit(memoryLimit)
	var o options
	flag.StringVar(&o.listen, "listen", ":443", "`address` to serve HTTPS on")
	flag.StringVar(&o.data, "data", "/data/mgmt", "`folder` for certificate and password")
	flag.StringVar(&o.control, "control", control.Socket, "the dataplane's `socket`")
	flag.StringVar(&o.box, "box", state.Path, "init's `file` on the state of the box")
	flag.StringVar(&o.settings, "settings", keeper.InForce, "appliance.ini, as it is in force")
	flag.StringVar(&o.keeper, "keeper", keeper.Socket, "init's `socket` for changes of the settings")
	flag.StringVar(&o.command, "command", command.Socket, "init's `socket` for what only it may do")
	flag.StringVar(&o.update, "update", update.Socket, "the update program's `socket`")
	flag.StringVar(&o.ssh, "ssh", ":22", "`address` to serve SSH on, while the settings say so")
	device := flag.String("console", "", "show the menu on standard input, which is this `device`, and serve no page")
	flag.BoolVar(&o.shell, "shell", false, "with -console: offer a shell, by ending with status 42")
	flag.StringVar(&o.definitions, "definitions", definitions(), "`folder` of the inline patches, to tell which products they are for")
	verify := flag.String("verify-audit", "", "check the audit log in this `file` (records.db, or an exported one) and end")
	head := flag.String("head", "", "with -verify-audit: an end of the log that was written down, as `SEQ:HASH`")
	carried := flag.String("carry", "", "`export` what was set up here to standard output, import or check what comes in from standard input, and end")
	who := flag.String("who", "wirepatch", "with -carry import: who asked for it")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "mgmt: unexpected argument %q; see -help\n", flag.Arg(0))
		os.Exit(2)
	}
	if *verify != "" {
		os.Exit(verifyAudit(os.Stdout, *verify, *head))
	}
	if *carried != "" {
		if err := carryOver(*carried, o.data, *who); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := jail.Enter(); err != nil {
		log.Error("mgmt goes on with more rights than it needs", "cause", err)
	}
	if *device != "" {
		os.Exit(menu(ctx, o, *device))
	}
	if err := run(ctx, o, log); err != nil {
		log.Error("mgmt ends", "cause", err)
		os.Exit(1)
	}
}

// carryOver takes what was set up from box to box.
func carryOver(how, data, who string) error {
	switch how {
	case "export":
		return carry.Export(data, os.Stdout)
	case "import":
		return carry.Import(data, os.Stdin, who, time.Now)
	case "check":
		return carry.Check(os.Stdin)
	}
	return fmt.Errorf("-carry %s: want export, import or check", how)
}

// verifyAudit checks a log and says what it found; 1 when it was tampered with,
// 2 when it could not be looked at, which says nothing about the log.
func verifyAudit(w io.Writer, path, head string) int {
	if _, err := audit.NewChain(head); err != nil {
		fmt.Fprintf(w, "%s: not checked: -head: %v\n", path, err)
		return 2
	}
	end, err := audit.Verify(path, head)
	var unread *fs.PathError
	if errors.As(err, &unread) {
		fmt.Fprintf(w, "%s: not checked: %v\n", path, err)
		return 2
	}
	if err != nil {
		fmt.Fprintf(w, "%s: NOT intact: %v\n", path, err)
		return 1
	}
	fmt.Fprintf(w, "%s: intact up to record %d, head %s\n", path, end.Seq, end)
	return 0
}

func run(ctx context.Context, o options, log *slog.Logger) error {
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	cert, err := loadCertificate(ctx, o, log)
	if err != nil {
		return err
	}
	users, err := auth.Open(o.data, time.Now)
	if err != nil {
		return err
	}
	sampler, err := system.New(o.data)
	if err != nil {
		return err
	}
	poller := wire.New(o.control, o.box, time.Now)
	kept, err := openEvents(ctx, o.data, poller, log)
	if err != nil {
		return err
	}
	db, err := records.Open(o.data)
	if err != nil {
		return err
	}
	defer db.Close()
	trail := audit.New(db, time.Now, log, func(audit.Record) {})
	trail.Add(audit.Entry{Who: "wirepatch", Action: "start", Object: "management program " + release.Version, Outcome: "done"})
	go trail.Watch(ctx, spool(o.data))
	ran := store.NewRan()
	go trail.Keep(ctx, audit.MostOn(partition(o.data)), ran)
	changes := &change.Manager{DB: db, Audit: trail, Keeper: keeper.Client{Path: o.keeper}, Wire: control.Dial(o.control).Status, Now: time.Now}
	outputs := &out.Sender{DB: db, Events: kept, Audit: trail, Host: hostname, Now: time.Now, Log: log}
	servers := &inventory.Store{DB: db, Now: time.Now}
	exposures := &inventory.Tracker{Store: servers, Definitions: o.definitions, Now: time.Now, Wire: func() (*control.Status, bool) {
		d := poller.State().Dataplane
		return d.Status, d.Answers
	}}
	feeds := &feed.Puller{DB: db, Inventory: servers, Folder: o.data, Audit: trail, Now: time.Now}
	reports := &report.Keeper{DB: db, Now: time.Now}
	site, err := web.New(web.Config{
		Users: users, Sessions: auth.NewSessions(time.Now), Throttle: auth.NewThrottle(time.Now),
		Wire: poller, Events: kept, Audit: trail, Changes: changes, Inventory: servers, Exposures: exposures, Feeds: feeds, Cycles: &cycle.Store{DB: db, Now: time.Now}, Reports: reports, Outputs: outputs, System: sampler, Settings: o.settings,
		Command: command.Client{Path: o.command}, Update: update.Program{Socket: o.update}, Control: o.control,
		Certs: certs.NewLive(o.data, cert, func() certs.Names { return certs.Own(boxAt(o.box)) }, time.Now), Now: time.Now, Log: log,
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	log.Info("serving HTTPS", "address", l.Addr(), "certificate_sha256", cert.Fingerprint)
	if code := users.SetupCode(); code != "" {
		log.Info("no password is set: open the page and set one", "setup_code", code)
	}
	go poller.Run(ctx)
	go sampler.Run(ctx)
	ctx, end := context.WithCancel(ctx)
	go kept.Run(ctx)
	if err := outputs.Start(ctx); err != nil {
		log.Error("nothing goes out to other systems", "cause", err)
	}
	changes.Check, changes.Frozen, reports.Make = site.Check, site.Frozen, site.MakeReport
	go reports.Run(ctx, func(err error) { log.Warn("reports are not made", "cause", err) })
	go feeds.Run(ctx)
	go site.Remind(ctx)
	go (&upkeep.Watcher{DB: db, Audit: trail, Updates: site.Update.Status, Box: func() *state.Box { return poller.State().Box }, Log: log}).Run(ctx)
	go exposures.Run(ctx, func(err error) { log.Warn("exposures are not worked out", "cause", err) })
	go keepFound(ctx, o.control, servers, log)
	go serveSSH(ctx, o, users, trail, changes, log)
	go changes.Keep(ctx, change.LimitsOn(partition(o.data)), ran, func(err error) { log.Warn("changes are not bounded", "cause", err) })
	go changes.Run(ctx, func(err error) { log.Warn("change in its window", "cause", err) })
	err = serve(ctx, site, connlimit.New(l, maxConnections, maxOfOne))
	end()
	kept.Wait() // for what is not on the disk yet
	return err
}

// foundInterval is the time between two looks at what the wire has found.
const foundInterval = 10 * time.Second

// keepFound keeps what the wire finds. While the dataplane is away there is
// nothing to keep; that it is away is said elsewhere.
func keepFound(ctx context.Context, socket string, servers *inventory.Store, log *slog.Logger) {
	wire := control.Dial(socket)
	defer wire.Close()
	tick := time.NewTicker(foundInterval)
	defer tick.Stop()
	for {
		if found, err := wire.Found(ctx); err == nil {
			if err := servers.PutFound(found); err != nil {
				log.Warn("what the wire found is not kept", "cause", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// definitions is the folder that init leads the dataplane to, or the image's own.
func definitions() string {
	const led, own = "/run/wirepatch/definitions", "/etc/wirepatch/definitions"
	if _, err := os.Stat(led); err == nil {
		return led
	}
	return own
}

// hostname is the box's name in what goes out.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "wirepatch"
	}
	return name
}

// shownAtStart is how many records of earlier runs the pages begin with.
const shownAtStart = 100

// openEvents opens the store of events and has the poller go on where it ends.
func openEvents(ctx context.Context, data string, poller *wire.Poller, log *slog.Logger) (*events.Store, error) {
	limits := events.DefaultLimits
	// Settings, firmware and the audit log need room on the same disk.
	limits.Bytes = min(limits.Bytes, partition(data)/2)
	kept, err := events.Open(filepath.Join(data, "events.db"), limits, log)
	if err != nil {
		return nil, err
	}
	var last []wire.Record
	for _, q := range []events.Query{{Corrections: true, Limit: shownAtStart}, {Others: true, Limit: shownAtStart}} {
		f, err := kept.Search(ctx, q)
		if err != nil {
			log.Warn("earlier events cannot be read", "cause", err)
		}
		slices.Reverse(f.Records)
		last = append(last, f.Records...)
	}
	poller.Resume(kept.Resume(), last, kept.Keep)
	return kept, nil
}

// partition is the size of the file system that a folder is on.
func partition(folder string) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(folder, &fs) != nil {
		return math.MaxInt64 // what is kept has other limits, too
	}
	return int64(fs.Blocks) * fs.Bsize
}

// loadCertificate gives the management port some time to get its address, but
// only when the certificate is made: it should name the address.
func loadCertificate(ctx context.Context, o options, log *slog.Logger) (*certs.Certificate, error) {
	cert, err := certs.Load(o.data, func() certs.Names { return certs.Own(waitForAddress(ctx, o.box)) })
	if err == nil && cert.Made {
		log.Info("certificate made", "names", cert.TLS.Leaf.DNSNames, "addresses", cert.TLS.Leaf.IPAddresses)
	}
	return cert, err
}

// boxAt is init's state of the box, nil where it cannot be read.
func boxAt(path string) *state.Box {
	b, err := state.Read(path)
	if err != nil {
		return nil
	}
	return b
}

// addressTime is how long the first start waits for DHCP.
const addressTime = 10 * time.Second

func waitForAddress(ctx context.Context, path string) *state.Box {
	ctx, cancel := context.WithTimeout(ctx, addressTime)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		box, err := state.Read(path)
		if err == nil && box.Management.Address != "" || errors.Is(err, os.ErrNotExist) {
			return box
		}
		select {
		case <-ctx.Done():
			return box
		case <-tick.C:
		}
	}
}

func serve(ctx context.Context, site *web.Site, l net.Listener) error {
	srv := site.Server()
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
