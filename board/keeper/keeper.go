// Package keeper changes appliance.ini: it takes a whole new file from programs
// that may not write it, checks it, keeps the ones before, puts the new one into
// force, and takes it back when that fails or when nobody confirms what could
// cut off the management port. init runs the server; mgmt and the console ask
// it. It knows nothing of who may ask: the socket's file mode says that.
package keeper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wirepatch/board/atomicfile"
	"wirepatch/board/settings"
)

// Socket is where init listens.
const Socket = "/run/wirepatch/settings.sock"

// InForce is the copy that the programs of the box read: the owner's file, or the
// image's where that is faulty or absent.
const InForce = "/run/wirepatch/appliance.ini"

// MaxText bounds an appliance.ini, in bytes.
const MaxText = 256 << 10

// ConfirmTime is how long a change of the management port waits to be confirmed
// before it is taken back.
const ConfirmTime = 3 * time.Minute

// Keeper keeps one appliance.ini.
type Keeper struct {
	Owner   string // the file that is written
	Default string // what is in force while there is none
	Folder  string // for earlier files
	// Apply puts settings into force. It is called with one at a time.
	Apply func(ctx context.Context, old, new *settings.Settings) error
	Now   func() time.Time
	Logf  func(format string, a ...any)
	// Box does what concerns more than this one file; nil: it cannot be done.
	Box Box

	mu      sync.Mutex
	waiting *waiting
}

// New returns the keeper of this firmware's settings in a data folder. Who runs
// it gives it Apply and Logf.
func New(data string) *Keeper {
	p := settings.PlaceOf(data, settings.Format)
	return &Keeper{Owner: p.Owner, Default: settings.DefaultPath, Folder: p.Folder, Now: time.Now}
}

// unconfirmedFile, beside the earlier files, is what an unconfirmed change ended.
const unconfirmedFile = "unconfirmed.ini"

// waiting is a change that is taken back unless it is confirmed.
type waiting struct {
	sum    string
	until  time.Time
	cancel func() bool
}

// State is what is in force.
type State struct {
	Text string `json:"text"`
	Sum  string `json:"sum"` // SHA-256 of Text, hexadecimal
	// Confirm is when it is taken back unless confirmed; zero: it stays.
	Confirm time.Time `json:"confirm"`
}

// Change is a new file.
type Change struct {
	Text   string `json:"text"`
	Base   string `json:"base"` // Sum of what it was made from: nobody else's change is undone unseen
	Who    string `json:"who"`
	Reason string `json:"reason"`
}

// Errors that a client tells apart.
var (
	ErrBase  = errors.New("the settings have been changed since; look at them and begin anew")
	ErrFault = errors.New("the settings are faulty")
	ErrApply = errors.New("the settings could not be put into force and were taken back")
	ErrNone  = errors.New("nothing waits to be confirmed")
)

// Sum is the SHA-256 of a file's text.
func Sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// Current returns what is in force.
func (k *Keeper) Current() (State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current()
}

func (k *Keeper) current() (State, error) {
	text, err := os.ReadFile(k.Owner)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = os.ReadFile(k.Default)
	}
	if err != nil {
		return State{}, err
	}
	s := State{Text: string(text), Sum: Sum(string(text))}
	if k.waiting != nil {
		s.Confirm = k.waiting.until
	}
	return s, nil
}

// Write checks a new file and puts it into force. What is the same as before is
// no change.
func (k *Keeper) Write(ctx context.Context, c Change) (State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.current()
	if err != nil {
		return now, err
	}
	switch {
	case c.Base != now.Sum:
		return now, ErrBase
	case c.Text == now.Text:
		return now, nil
	case len(c.Text) > MaxText:
		return now, fmt.Errorf("%w: more than %d bytes", ErrFault, MaxText)
	}
	next, err := settings.Parse([]byte(c.Text))
	if err != nil {
		return now, fmt.Errorf("%w: %w", ErrFault, err)
	}
	if k.waiting != nil { // whoever goes on from an unconfirmed file reaches the box
		k.settle()
	}
	old, err := settings.Parse([]byte(now.Text))
	if err != nil {
		old = &settings.Settings{} // a faulty one is being corrected
	}
	if err := k.exchange(ctx, now, old, next, c); err != nil {
		return now, err
	}
	return k.current()
}

// exchange writes the file and applies it; where that fails, all is as before.
func (k *Keeper) exchange(ctx context.Context, now State, old, next *settings.Settings, c Change) error {
	if err := k.remember(now.Text, c); err != nil {
		return fmt.Errorf("keep the settings before: %w", err)
	}
	cutOff := !sameManagement(old.Management, next.Management)
	if cutOff {
		// Before the change: a power cut from here on ends at the old file.
		if err := atomicfile.Write(k.unconfirmed(), []byte(now.Text), 0o600); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(k.Owner, []byte(c.Text), 0o644); err != nil {
		return err
	}
	if err := k.Apply(ctx, old, next); err != nil {
		back := atomicfile.Write(k.Owner, []byte(now.Text), 0o644)
		if back == nil { // else the next start takes it back
			back = atomicfile.Remove(k.unconfirmed())
		}
		return errors.Join(fmt.Errorf("%w: %w", ErrApply, err), back, k.Apply(context.WithoutCancel(ctx), next, old))
	}
	// By whom and why is what the asking program says; this is what was done.
	differ := Differing(now.Text, c.Text)
	k.Logf("settings: SHA-256 is now %s; %d sections differ: %s", Sum(c.Text), len(differ), strings.Join(differ, ", "))
	k.Logf("settings: changed by %s: %s", c.Who, c.Reason)
	if cutOff {
		k.await(Sum(c.Text))
	}
	return nil
}

func (k *Keeper) unconfirmed() string { return filepath.Join(k.Folder, unconfirmedFile) }

// await starts the clock of an unconfirmed change.
func (k *Keeper) await(sum string) {
	k.Logf("settings: the management port has changed; taken back in %v unless confirmed", ConfirmTime)
	w := &waiting{sum: sum, until: k.Now().Add(ConfirmTime)}
	w.cancel = time.AfterFunc(ConfirmTime, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.waiting == w {
			k.takeBack(context.Background())
		}
	}).Stop
	k.waiting = w
}

// Confirm lets an unconfirmed change stay.
func (k *Keeper) Confirm() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waiting == nil {
		return ErrNone
	}
	return k.settle()
}

func (k *Keeper) settle() error {
	k.waiting.cancel()
	k.waiting = nil
	return atomicfile.Remove(k.unconfirmed())
}

// takeBack puts the file from before an unconfirmed change into force again.
func (k *Keeper) takeBack(ctx context.Context) {
	k.waiting = nil
	if err := k.restore(ctx); err != nil {
		k.Logf("settings: take back: %v", err)
		return
	}
	k.Logf("settings: the change of the management port was not confirmed and is taken back")
}

func (k *Keeper) restore(ctx context.Context) error {
	text, err := os.ReadFile(k.unconfirmed())
	if err != nil {
		return err
	}
	now, err := k.current()
	if err != nil {
		return err
	}
	old, err1 := settings.Parse(text)
	bad, err2 := settings.Parse([]byte(now.Text))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if err := atomicfile.Write(k.Owner, text, 0o644); err != nil {
		return err
	}
	return errors.Join(k.Apply(ctx, bad, old), atomicfile.Remove(k.unconfirmed()))
}

// Recover is for the start of the box: a change that was never confirmed before
// the power went is taken back, without being applied.
func (k *Keeper) Recover() error {
	text, err := os.ReadFile(k.unconfirmed())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	k.Logf("settings: a change of the management port was not confirmed before the restart and is taken back")
	if err := atomicfile.Write(k.Owner, text, 0o644); err != nil {
		return fmt.Errorf("%w; it is taken back at a start at which there is room", err)
	}
	return atomicfile.Remove(k.unconfirmed())
}

func sameManagement(a, b settings.Management) bool {
	if a.Mode != b.Mode || a.Address != b.Address || a.Gateway != b.Gateway || len(a.DNS) != len(b.DNS) {
		return false
	}
	for i := range a.DNS {
		if a.DNS[i] != b.DNS[i] {
			return false
		}
	}
	return true
}
