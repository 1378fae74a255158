package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// Host lets this package, which serves tests, work for a command: what fails
// ends the command's work through a panic that Guard catches, and what is to be
// cleaned up is cleaned up when Guard returns.
type Host struct {
	testing.TB
	Ctx      context.Context
	cleanups []func()
}

// failure is what a Host panics with.
type failure struct{ error }

func (h *Host) Helper()                  {}
func (h *Host) Context() context.Context { return h.Ctx }
func (h *Host) Cleanup(f func())         { h.cleanups = append(h.cleanups, f) }
func (h *Host) Fatal(a ...any)           { panic(failure{errors.New(fmt.Sprint(a...))}) }
func (h *Host) Fatalf(f string, a ...any) {
	panic(failure{fmt.Errorf(f, a...)})
}
func (h *Host) Errorf(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }

// TempDir makes a folder that goes with the rest.
func (h *Host) TempDir() string {
	dir, err := os.MkdirTemp("", "wirepatch-")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Guard calls f and cleans up behind it, whatever comes of it.
func (h *Host) Guard(f func() error) (err error) {
	defer func() {
		for _, c := range slices.Backward(h.cleanups) {
			c()
		}
		h.cleanups = nil
	}()
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = failed.error
		}
	}()
	return f()
}
