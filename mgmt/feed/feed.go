// Package feed fetches advisories from where the administrator says: CISA's
// catalogue, OSV records, CSAF documents; by HTTPS, through a proxy where one is
// needed, at most so much and so often. Nothing is fetched until a source is set,
// and nothing is sent but the request for it.
package feed

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/hook"
	"wirepatch/mgmt/inventory"
	"wirepatch/mgmt/store"
)

// Schema is what is kept of the sources.
var Schema = store.NamedSchema("feed")

// Kinds of sources.
var Kinds = []string{"kev", "osv", "csaf"}

// Bounds.
const (
	maxFeeds = 20
	minHours = 1
	maxHours = 24 * 31
	retry    = time.Hour // after a failure
)

// Feed is one source.
type Feed struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	URL   string `json:"url"`
	Proxy string `json:"proxy,omitempty"`
	CA    string `json:"ca,omitempty"` // PEM; "": the usual ones
	Hours int    `json:"hours"`        // between two fetches

	Tag   string    `json:"tag,omitempty"`   // ETag of what was fetched last
	Upto  time.Time `json:"upto"`            // CSAF folder: documents up to then are here
	Last  time.Time `json:"last"`            // fetched, or known to be the same
	Next  time.Time `json:"next"`            // fetch
	Got   int       `json:"got"`             // advisories in it, when it was fetched last
	Error string    `json:"error,omitempty"` // of the last fetch
}

// What is wrong with what was handed in.
var (
	ErrInput = errors.New("this cannot be taken")
	ErrNone  = errors.New("there is no such source")
)

func faulty(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInput}, a...)...)
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

func (f *Feed) check() error {
	switch {
	case !nameForm.MatchString(f.Name):
		return faulty("a name is up to 32 small letters, digits, dots and dashes")
	case !slices.Contains(Kinds, f.Kind):
		return faulty("kind: got %.20q, want one of %s", f.Kind, strings.Join(Kinds, ", "))
	case f.Hours < minHours || f.Hours > maxHours:
		return faulty("hours: want %d to %d", minHours, maxHours)
	}
	if u, err := url.Parse(f.URL); err != nil || u.Scheme != "https" || u.Host == "" || len(f.URL) > 1000 {
		return faulty("url: got %.80q, want an address that begins with https://", f.URL)
	}
	if f.Proxy != "" {
		if u, err := url.Parse(f.Proxy); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(f.Proxy) > 1000 {
			return faulty("proxy: got %.80q, want an address that begins with http:// or https://", f.Proxy)
		}
	}
	if _, err := hook.Roots(f.CA); err != nil {
		return faulty("%v", err)
	}
	return nil
}

// Puller keeps the sources and fetches them.
type Puller struct {
	DB        *store.DB
	Inventory *inventory.Store
	Folder    string // for what is being fetched
	Audit     *audit.Log
	Now       func() time.Time

	mu sync.Mutex // one fetch, or change of the sources, at a time
}

func (p *Puller) feeds() store.Named[Feed] { return store.Named[Feed]{DB: p.DB, Table: "feed"} }

// Feeds returns all sources by name.
func (p *Puller) Feeds() ([]Feed, error) { return p.feeds().All() }

// Put adds a source, or changes it: then it is fetched anew.
func (p *Puller) Put(f Feed) error {
	if err := f.check(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := p.feeds().Others(f.Name)
	if err != nil {
		return err
	}
	if n >= maxFeeds {
		return faulty("more than %d sources", maxFeeds)
	}
	f.Tag, f.Upto, f.Last, f.Got, f.Error, f.Next = "", time.Time{}, time.Time{}, 0, "", p.Now().UTC()
	return p.feeds().Put(f.Name, f)
}

func (p *Puller) get(name string) (Feed, error) {
	f, found, err := p.feeds().Get(name)
	if err == nil && !found {
		err = ErrNone
	}
	return f, err
}

// Remove forgets a source. What came from it stays.
func (p *Puller) Remove(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.feeds().Remove(name)
	if err == nil && !found {
		err = ErrNone
	}
	return err
}

// Soon has a source be fetched at the next look.
func (p *Puller) Soon(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := p.get(name)
	if err != nil {
		return err
	}
	f.Next = p.Now().UTC()
	return p.feeds().Put(f.Name, f)
}

// Run fetches what is due until ctx ends.
func (p *Puller) Run(ctx context.Context) {
	p.sweep()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		p.Due(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep removes what a fetch left that a power cut ended.
func (p *Puller) sweep() {
	left, _ := filepath.Glob(filepath.Join(p.Folder, unfinished)) // the pattern is a good one
	for _, path := range left {
		_ = os.Remove(path) // what stays is tried again at the next start
	}
}

// Due fetches the sources whose time has come.
func (p *Puller) Due(ctx context.Context) {
	all, err := p.Feeds()
	if err != nil {
		return // the disk's trouble is told elsewhere
	}
	for _, f := range all {
		if !p.Now().Before(f.Next) {
			p.pull(ctx, f.Name)
		}
	}
}

func (p *Puller) pull(ctx context.Context, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := p.get(name)
	if err != nil {
		return
	}
	before := f.Error
	n, err := p.fetch(ctx, &f)
	now := p.Now().UTC()
	f.Error, f.Next = "", now.Add(time.Duration(f.Hours)*time.Hour)
	if err != nil {
		f.Error, f.Next = short(err.Error()), now.Add(min(retry, time.Duration(f.Hours)*time.Hour))
	} else {
		f.Last = now
	}
	if n > 0 {
		f.Got = n
	}
	if f.Error != before || n > 0 {
		e := audit.Entry{Time: now, Who: "feed", Action: "advisory.pull", Object: f.Name, Detail: fmt.Sprintf("%d advisories from %s", n, Shown(f.URL)), Outcome: "done"}
		if err != nil {
			e.Detail, e.Outcome = f.Error, "failed"
		}
		p.Audit.Add(e)
	}
	if ctx.Err() == nil {
		_ = p.feeds().Put(f.Name, f) // where it cannot be kept, it is fetched again
	}
}

// Shown is an address as it may be shown and recorded: without a password in it.
func Shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

func short(s string) string {
	if len(s) > 400 {
		return strings.ToValidUTF8(s[:400], "")
	}
	return s
}
