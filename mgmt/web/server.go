// Package web is the management page and its API: HTTPS only, server-rendered,
// usable without scripts. It shows what package wire has copied and decides
// nothing itself. Everything that came over the wire is only ever text here.
package web

import (
	"crypto/tls"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"wirepatch/board/command"
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
	"wirepatch/mgmt/report"
	"wirepatch/mgmt/system"
	"wirepatch/mgmt/wire"
)

// Limits on every request.
const (
	maxHeader  = 16 << 10 // bytes
	maxBody    = 64 << 10 // bytes
	headerTime = 5 * time.Second
	readTime   = 15 * time.Second
	answerTime = 30 * time.Second
	idleTime   = 60 * time.Second
	streams    = 32 // at once, of one HTTP/2 connection
)

// Config is what the pages need.
type Config struct {
	Users     *auth.Users
	Sessions  *auth.Sessions
	Throttle  *auth.Throttle
	Wire      *wire.Poller
	Events    *events.Store
	Audit     *audit.Log
	Changes   *change.Manager
	Inventory *inventory.Store
	Exposures *inventory.Tracker
	Feeds     *feed.Puller
	Cycles    *cycle.Store
	Reports   *report.Keeper
	Outputs   *out.Sender
	System    *system.Sampler
	Command   command.Client // what only init may do
	Update    update.Program
	Control   string // the dataplane's socket
	Settings  string // path of appliance.ini; "": where it usually is
	Certs     *certs.Live
	Now       func() time.Time
	Log       *slog.Logger
}

// Site serves the pages.
type Site struct {
	Config
	pages *template.Template

	rehearsing sync.Mutex
	rehearsed  time.Time // the last one
	refusals   refusals
}

// New returns the site.
func New(c Config) (*Site, error) {
	pages, err := parseTemplates()
	if err != nil {
		return nil, fmt.Errorf("page templates: %w", err)
	}
	return &Site{Config: c, pages: pages}, nil
}

// Handler returns the whole site, with all its checks.
func (s *Site) Handler() http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(s.crossOrigin))
	return s.recovered(s.headers(limited(s.knownHost(crossOrigin.Handler(s.mux())))))
}

// Server returns the HTTPS server of the site. Its listener is the caller's.
func (s *Site) Server() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: s.Certs.Get},
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: streams},
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
}
