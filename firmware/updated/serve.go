package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"wirepatch/board/socket"
	"wirepatch/firmware/update"
)

const maxUpload = update.MaxUpload

// serve serves the API:
//
//	GET  /v1/status    what runs, what is offered, what is being done
//	POST /v1/check     look into the repository now
//	POST /v1/install   put the firmware that is offered in, and restart;
//	                   with ?when=window in the next window, ?when=never not then
//	POST /v1/upload    an update file as body: definitions go live, firmware is
//	                   put in and started with ?restart=yes
//
// A refusal is status 422 with its code and text.
func (d *daemon) serve(ctx context.Context) error {
	l, err := socket.Listen(d.socket, -1)
	if err != nil {
		return err
	}
	d.logf("ready: firmware %s for board %s, definitions %d", d.release.Version, d.release.Board, d.status.Revision)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { d.answer(w, nil) })
	mux.HandleFunc("POST /v1/check", d.handleCheck)
	mux.HandleFunc("POST /v1/install", d.handleInstall)
	mux.HandleFunc("POST /v1/upload", d.handleUpload)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// answer sends the status, or the refusal.
func (d *daemon) answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	var r *update.Refusal
	switch {
	case errors.As(err, &r):
		w.WriteHeader(http.StatusUnprocessableEntity)
		json.NewEncoder(w).Encode(r)
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
		json.NewEncoder(w).Encode(update.Refusal{Code: update.Failed, Text: err.Error()})
	default:
		d.mu.Lock()
		defer d.mu.Unlock()
		json.NewEncoder(w).Encode(d.status)
	}
}

func (d *daemon) handleCheck(w http.ResponseWriter, _ *http.Request) {
	if d.settings.Repository == "" {
		d.answer(w, &update.Refusal{Code: update.NotReady, Text: "no update repository is set; give [firmware] repository in appliance.ini"})
		return
	}
	select {
	case d.wake <- struct{}{}:
	default: // it is about to
	}
	d.answer(w, nil)
}

func (d *daemon) handleInstall(w http.ResponseWriter, req *http.Request) {
	switch req.URL.Query().Get("when") {
	case "window":
		d.answer(w, d.plan())
	case "never":
		d.answer(w, d.unplan())
	default:
		d.answer(w, d.install(req.Context()))
	}
}

// install puts in the firmware that the repository offers.
func (d *daemon) install(ctx context.Context) error {
	d.work.Lock()
	defer d.work.Unlock()
	s, err := update.NewWeb(d.settings.Repository, d.settings.Proxy)
	if err != nil || d.settings.Repository == "" {
		return &update.Refusal{Code: update.NotReady, Text: "no update repository is set; give [firmware] repository in appliance.ini"}
	}
	o, err := d.take(ctx, s, true)
	if err == nil && o.Firmware == nil {
		err = d.client.Useless(o)
	}
	d.ended(err)
	return err
}

func (d *daemon) handleUpload(w http.ResponseWriter, req *http.Request) {
	d.work.Lock()
	defer d.work.Unlock()
	err := d.upload(req.Context(), http.MaxBytesReader(w, req.Body, maxUpload), req.ContentLength, req.URL.Query().Get("restart") == "yes")
	d.ended(err)
	d.answer(w, err)
}

// upload takes an update file.
func (d *daemon) upload(ctx context.Context, body io.Reader, size int64, restart bool) error {
	d.note(func(s *update.Status) { s.State, s.Bytes, s.Done = update.Uploading, max(size, 0), 0 })
	if size > maxUpload {
		return &update.Refusal{Code: update.TooLarge, Text: fmt.Sprintf("the file has %d bytes; an update has at most %d", size, maxUpload)}
	}
	if err := d.room(size); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.data, "upload-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	n, err := io.Copy(f, body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &update.Refusal{Code: update.TooLarge, Text: fmt.Sprintf("the file has more than the %d bytes that an update has at most", maxUpload)}
	case errors.Is(err, unix.ENOSPC):
		return &update.Refusal{Code: update.NoRoom, Text: "the data partition is full"}
	case err != nil:
		return &update.Refusal{Code: update.CutShort, Text: fmt.Sprintf("the upload broke off after %d bytes: %v; try again", n, err)}
	}
	return d.file(ctx, f.Name(), restart)
}

// file takes an update that is there as a file.
func (d *daemon) file(ctx context.Context, path string, restart bool) error {
	b, err := update.OpenBundle(path)
	if err != nil {
		return err
	}
	defer b.Close()
	o, err := d.client.Check(ctx, b)
	if err == nil {
		err = d.client.Useless(o)
	}
	if err != nil {
		return err
	}
	_, err = d.take(ctx, b, restart)
	return err
}

// room says whether the upload and what will be taken out of it have room.
func (d *daemon) room(size int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(filepath.Clean(d.data), &s); err != nil {
		return err
	}
	if free := int64(s.Bavail) * s.Bsize; 2*size > free {
		return &update.Refusal{Code: update.NoRoom, Text: fmt.Sprintf("the data partition has %d bytes free; this update needs %d", free, 2*size)}
	}
	return nil
}
