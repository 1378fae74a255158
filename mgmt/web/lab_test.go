package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wirepatch/board/atomicfile"
	"wirepatch/board/command"
	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/board/socket"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/certs"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/cycle"
	"wirepatch/mgmt/events"
	"wirepatch/mgmt/feed"
	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/out"
	"wirepatch/mgmt/records"
	"wirepatch/mgmt/report"
	"wirepatch/mgmt/store"
	"wirepatch/mgmt/system"
	"wirepatch/mgmt/wire"
)

const (
	testPassword = "correct horse battery"
	testAddress  = "192.0.2.9:1234"
)

// lab is the site with real neighbours: the dataplane's own control server on
// a unix socket, and a supervisor file.
type lab struct {
	testing.TB
	dir       string
	site      *Site
	handler   http.Handler
	poller    *wire.Poller
	cert      *certs.Certificate
	live      *certs.Live
	events    *events.Store
	changes   *change.Manager
	db        *store.DB
	outputs   *out.Sender
	keeper    *keeper.Keeper
	refuse    error // what the dataplane answers when it is to reload
	audit     *audit.Log
	inventory *inventory.Store
	exposures *inventory.Tracker
	box       *boxBehind
	reports   *report.Keeper
	log       *control.Log
	server    *control.Server

	mu     sync.Mutex
	clock  time.Time
	status control.Status
}

func newLab(t testing.TB) *lab { return newLabIn(t, t.TempDir()) }

// newLabIn is newLab with its files in a folder.
func newLabIn(t testing.TB, dir string) *lab {
	l := &lab{TB: t, dir: dir, clock: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), status: testStatus()}
	l.writeBox(testBox())
	l.startDataplane("one")
	cert, err := certs.Load(dir, func() certs.Names { return certs.Own(nil) })
	l.must(err)
	users, err := auth.Open(dir, l.now)
	l.must(err)
	sampler, err := system.New(dir)
	l.must(err)
	go sampler.Run(t.Context())
	ini := filepath.Join(dir, "appliance.ini")
	l.must(os.WriteFile(ini, []byte("[service portal]\naddress = 10.77.0.2\nport = 80\n"), 0o644))
	l.poller = wire.New(l.socket(), filepath.Join(dir, "box.json"), l.now)
	l.cert = cert
	l.live = certs.NewLive(dir, cert, func() certs.Names { return certs.Own(nil) }, l.now)
	l.openStores()
	l.startBox()
	l.inventory = &inventory.Store{DB: l.db, Now: l.now}
	l.exposures = &inventory.Tracker{Store: l.inventory, Definitions: "../../definitions", Now: l.now, Wire: func() (*control.Status, bool) {
		d := l.poller.State().Dataplane
		return d.Status, d.Answers
	}}
	l.reports = &report.Keeper{DB: l.db, Now: l.now}
	l.site, err = New(Config{
		Users: users, Sessions: auth.NewSessions(l.now), Throttle: auth.NewThrottle(l.now),
		Wire: l.poller, Events: l.events, Audit: l.audit, Changes: l.changes, Inventory: l.inventory, Exposures: l.exposures, Feeds: &feed.Puller{DB: l.db, Inventory: l.inventory, Folder: dir, Audit: l.audit, Now: l.now}, Cycles: &cycle.Store{DB: l.db, Now: l.now}, Reports: l.reports, Outputs: l.outputs, System: sampler, Settings: ini,
		Command: command.Client{Path: l.box.path("command")}, Update: update.Program{Socket: l.box.path("update")}, Control: l.socket(),
		Certs: l.live, Now: l.now, Log: slog.New(slog.DiscardHandler),
	})
	l.must(err)
	l.changes.Check, l.changes.Frozen, l.reports.Make = l.site.Check, l.site.Frozen, l.site.MakeReport
	l.handler = l.site.Handler()
	return l
}

// openStores opens the files of events and records, as the program does.
func (l *lab) openStores() {
	l.Helper()
	quiet := slog.New(slog.DiscardHandler)
	var err error
	l.events, err = events.Open(filepath.Join(l.dir, "events.db"), events.DefaultLimits, quiet)
	l.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	go l.events.Run(ctx)
	db, err := records.Open(l.dir)
	l.must(err)
	l.db = db
	l.audit = audit.New(db, l.now, quiet, func(audit.Record) {})
	l.outputs = &out.Sender{DB: db, Events: l.events, Audit: l.audit, Host: func() string { return "wirepatch" }, Now: l.now, Log: quiet}
	l.must(l.outputs.Start(ctx))
	l.Cleanup(func() {
		for _, o := range l.outputs.Status() {
			l.outputs.Remove(o.Name)
		}
		cancel()
		l.events.Wait()
		db.Close()
	})
	l.poller.Resume(l.events.Resume(), nil, l.events.Keep)
	path := l.startKeeper()
	l.changes = &change.Manager{DB: db, Audit: l.audit, Keeper: keeper.Client{Path: path}, Wire: control.Dial(l.socket()).Status, Now: l.now}
}

// startKeeper runs init's keeper of the settings, which has the dataplane reload.
func (l *lab) startKeeper() (path string) {
	l.Helper()
	l.keeper = &keeper.Keeper{Owner: filepath.Join(l.dir, "appliance.ini"), Default: "/nothing", Folder: filepath.Join(l.dir, "settings"), Now: time.Now, Logf: l.Logf,
		Apply: func(ctx context.Context, _, _ *settings.Settings) error {
			c := control.Dial(l.socket())
			defer c.Close()
			return c.Reload(ctx)
		}}
	path = filepath.Join(l.dir, "settings.sock")
	ln, err := socket.Listen(path, -1)
	l.must(err)
	go l.keeper.Serve(context.Background(), ln)
	l.Cleanup(func() { ln.Close() })
	return path
}

// settle waits until all events that were copied are on the disk.
func (l *lab) settle() {
	l.Helper()
	want := l.poller.Since(0, 1000)
	for end := time.Now().Add(time.Minute); len(want) > 0; time.Sleep(10 * time.Millisecond) {
		if _, ok, err := l.events.Get(l.Context(), want[len(want)-1].Seq); ok {
			return
		} else if err != nil || time.Now().After(end) {
			l.Fatalf("event %d is not on the disk: %v", want[len(want)-1].Seq, err)
		}
	}
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) socket() string { return filepath.Join(l.dir, "dataplane.sock") }

func (l *lab) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock
}

func (l *lab) advance(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock = l.clock.Add(d)
}

// set changes what the dataplane will answer.
func (l *lab) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// Status and Reload are what the control server asks.
func (l *lab) Status(context.Context) (control.Status, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status, nil
}

// Reload reads the settings anew, as the dataplane does.
func (l *lab) Reload(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	set, err := settings.Read(filepath.Join(l.dir, "appliance.ini"))
	if err != nil {
		return err
	}
	l.status.Services = nil
	for _, v := range set.Services {
		l.status.Services = append(l.status.Services, control.Service{Name: v.Name, Address: v.Address.String(), Port: int(v.Port), Protocol: v.Protocol, Fail: v.Fail, Exceed: v.Exceed, Products: v.Products})
	}
	l.status.Definitions = slices.Clone(l.status.Definitions)
	for i, d := range l.status.Definitions {
		if m := set.Modes[d.ID]; m != "" {
			l.status.Definitions[i].Mode = m
		}
		l.status.Definitions[i].Services = set.ServiceModes[d.ID]
		l.status.Definitions[i].Parameters = nil
		for _, p := range d.Parameters {
			p.Values = map[string]string{"": p.Default}
			for service, given := range set.Parameters[d.ID] {
				if v, ok := given[p.Name]; ok {
					p.Values[service] = v
				}
			}
			l.status.Definitions[i].Parameters = append(l.status.Definitions[i].Parameters, p)
		}
	}
	return nil
}

func (l *lab) startDataplane(instance string) {
	l.Helper()
	l.mu.Lock()
	l.status.Instance = instance
	l.mu.Unlock()
	l.log = control.NewLog()
	l.server = control.NewServer(l, l.log)
	ln, err := control.Listen(l.socket(), -1)
	l.must(err)
	srv := l.server
	go srv.Serve(ln)
	l.Cleanup(func() { srv.Close() })
}

func (l *lab) writeBox(b state.Box) {
	l.Helper()
	text, err := json.Marshal(b)
	l.must(err)
	l.must(atomicfile.Write(filepath.Join(l.dir, "box.json"), text, 0o644))
}

func (l *lab) setPassword() {
	l.Helper()
	u := l.site.Users
	l.must(u.SetUp(context.Background(), u.SetupCode(), "", testPassword))
}

// addUser makes a user of each role, called as the role is.
func (l *lab) addUsers() {
	l.Helper()
	for _, name := range auth.RoleNames() {
		var r auth.Role
		l.must(r.UnmarshalText([]byte(name)))
		l.must(l.site.Users.Add(context.Background(), name, r, testPassword))
		l.must(l.site.Users.ChangePassword(context.Background(), name, testPassword))
	}
}

// session opens a session of the administrator without the work of a password
// hash.
func (l *lab) session() (*http.Cookie, auth.Session) { return l.sessionOf(auth.FirstName) }

func (l *lab) sessionOf(user string) (*http.Cookie, auth.Session) {
	u, ok := l.site.Users.Get(user)
	if !ok {
		u.Name = user
	}
	id, s := l.site.Sessions.Create(u, "192.0.2.9")
	return &http.Cookie{Name: sessionCookie, Value: id}, s
}

// do sends one request; change may alter it.
func (l *lab) do(method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://127.0.0.1"+path, strings.NewReader(body))
	r.RemoteAddr = testAddress
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if strings.HasPrefix(path, "/api/") {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	return w
}

func with(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }

func header(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }

// sendForm fills in the form at path as a browser does: with the cookie and the
// token that the page came with.
func (l *lab) sendForm(path string, v url.Values) *httptest.ResponseRecorder {
	l.Helper()
	c := cookie(l.do("GET", path, ""), formCookie)
	if c == nil {
		l.Fatalf("GET %s sets no %s", path, formCookie)
	}
	v.Set("token", c.Value)
	return l.do("POST", path, v.Encode(), with(c))
}

func cookie(w *httptest.ResponseRecorder, name string) *http.Cookie {
	for _, c := range w.Result().Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func testBox() state.Box {
	return state.Box{
		Version: "0.1.0", Board: "qemu", Hostname: "wirepatch", Data: "ext4 /dev/vda", Booted: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
		Management: state.Management{Interface: "mgmt0", MAC: "52:54:00:00:00:03", Up: true, Mode: "dhcp", Address: "10.0.2.15/24", Gateway: "10.0.2.2"},
		Processes: []state.Process{
			{Name: "dataplane", PID: os.Getpid(), State: "running", Started: time.Date(2026, 11, 22, 9, 0, 4, 0, time.UTC)},
			{Name: "mgmt", PID: os.Getpid(), State: "running", Started: time.Date(2026, 11, 22, 9, 0, 4, 0, time.UTC)},
		},
		Log: []state.Entry{{ID: 1, Time: time.Date(2026, 11, 22, 9, 0, 1, 0, time.UTC), Text: "board qemu: wire A eth0, wire B eth1, management eth2"}},
	}
}

func testStatus() control.Status {
	return control.Status{
		Version: "0.1.0", Started: time.Date(2026, 11, 22, 9, 0, 5, 0, time.UTC),
		Ports: []control.Port{
			{Name: "wan0", Driver: "virtio_net", MAC: "52:54:00:00:00:01", Up: true, SpeedMbit: 10000, Attach: "tcx", RxPackets: 120345, RxBytes: 15_300_000, Forwarded: 118000, HandedUp: 2345, TxPackets: 3100},
			{Name: "lan0", Driver: "virtio_net", MAC: "52:54:00:00:00:02", Up: true, SpeedMbit: 10000, Attach: "tcx", RxPackets: 220345, RxBytes: 230_300_000, Forwarded: 217245, HandedUp: 3100, TxPackets: 2345},
		},
		Services: []control.Service{{Name: "portal", Address: "10.77.0.2", Port: 80, Protocol: "http", Fail: "open", Exceed: "reset", Sessions: 3}},
		Sessions: control.Sessions{Open: 3, Total: 1281, Edited: 17, Passed: 1, PickedUp: 2, HeldBytes: 2048},
		Definitions: []control.Definition{
			{ID: "WP-2023-26125", Revision: 1, Title: "gin trusts X-Forwarded-Prefix when it redirects", Vulnerabilities: []string{"CVE-2023-26125"}, Mode: "correct", Corrections: 9},
			{ID: "WP-2023-29401", Revision: 2, Title: "gin does not escape the file name of a download", Vulnerabilities: []string{"CVE-2023-29401"}, Mode: "shadow", Corrections: 8},
			{ID: "WP-2022-1996", Revision: 1, Title: "go-restful allows any origin that ends as an allowed one", Vulnerabilities: []string{"CVE-2022-1996"}, Mode: "off", Only: "go-restful",
				Parameters: []control.Parameter{{Name: "origins", About: "The server's AllowedDomains.", Type: "list", Values: map[string]string{"": ""}},
					{Name: "most", About: "How many.", Type: "number", Default: "3", Values: map[string]string{"": "3"}}, {Name: "strict", About: "Whether.", Type: "truth", Default: "no", Values: map[string]string{"": "no"}}}},
			{ID: "WP-2025-24358", Revision: 1, Title: "gorilla/csrf does not check the referrer", Vulnerabilities: []string{"CVE-2025-24358"}, Mode: "correct", Error: "test 2 of 4 failed: got 200, want 403"},
		},
		Corrections: 17,
	}
}
