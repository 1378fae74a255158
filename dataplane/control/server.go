package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"wirepatch/board/socket"
)

// Bounds of the interface.
const (
	MaxEvents  = 500              // in one answer
	maxWait    = 60 * time.Second // of one question for events
	reloadTime = 10 * time.Minute // the tests of all definitions run, on whatever processor
	maxClients = 64               // connections at once
	answerTime = 10 * time.Second // for the dataplane to answer
)

// Source is what a Server asks. Its methods may be called by several
// goroutines at once.
type Source interface {
	Status(ctx context.Context) (Status, error)
	// Reload reads settings and definitions anew.
	Reload(ctx context.Context) error
}

// Teller is a Source that may know of events that are not in the log yet.
type Teller interface {
	Tell(ctx context.Context)
}

// Server answers on the socket.
type Server struct {
	source Source
	log    *Log
	http   *http.Server
	quit   context.CancelFunc // ends waiting requests
	stood  standstills
}

// NewServer returns a server that is not listening yet.
func NewServer(source Source, log *Log) *Server {
	ctx, quit := context.WithCancel(context.Background())
	s := &Server{source: source, log: log, quit: quit}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/alive", s.alive)
	mux.HandleFunc("GET /v1/events", s.events)
	mux.HandleFunc("GET /v1/found", s.found)
	mux.HandleFunc("POST /v1/reload", s.reload)
	mux.HandleFunc("POST /v1/rehearse", s.rehearse)
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      reloadTime + answerTime,
		IdleTimeout:       2 * maxWait,
		MaxHeaderBytes:    8 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	return s
}

// Listen makes the socket at path with mode 0660, of group gid when that is
// not negative. A socket that a dead process left is replaced.
func Listen(path string, gid int) (net.Listener, error) {
	l, err := socket.Listen(path, gid)
	if err != nil {
		return nil, err
	}
	return newLimited(l, maxClients), nil
}

// Serve answers on l until Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends the server and all its connections.
func (s *Server) Close() error {
	s.quit()
	return s.http.Close()
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	st, err := s.source.Status(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	st.LastEvent = s.log.Last()
	answer(w, st)
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	since, err := number(r, "since", 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	wait, err := number(r, "wait", 31)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(time.Duration(wait)*time.Second, maxWait))
	defer cancel()
	if t, ok := s.source.(Teller); ok {
		t.Tell(ctx)
	}
	answer(w, s.log.Wait(ctx, since, MaxEvents))
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reloadTime)
	defer cancel()
	if err := s.source.Reload(ctx); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func number(r *http.Request, name string, bits int) (uint64, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s: got %q, want a number", name, v)
	}
	return n, nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error here is a client that has gone away.
	_ = json.NewEncoder(w).Encode(v)
}
