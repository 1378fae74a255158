package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"wirepatch/board/atomicfile"
	"wirepatch/dataplane/control"
)

// linksFile keeps which wire ports had link when a firmware was last healthy, so
// that a new one whose driver gets none is found out.
const linksFile = "/data/firmware/links.json"

// vitals is what health is judged by.
type vitals struct {
	modules []string        // that did not load
	faulty  bool            // the owner's settings are not in force
	ports   ports           // that were found
	wire    *control.Status // nil: the dataplane does not answer
	page    bool            // the management page is served, or waits for its secrets
	before  map[string]bool // links as they were under the last healthy firmware; nil: not known
}

// faults says all that is wrong, nothing when the box is in health.
func (v vitals) faults() (all []string) {
	add := func(format string, a ...any) { all = append(all, fmt.Sprintf(format, a...)) }
	for _, m := range v.modules {
		add("module %s does not load", m)
	}
	if v.faulty {
		add("the settings of this box cannot be used")
	}
	if !v.ports.wireA || !v.ports.wireB || !v.ports.management {
		add("a port is missing")
	}
	switch {
	case v.wire == nil:
		add("the dataplane does not answer")
	case !attached(v.wire):
		add("the wire does not forward")
	default:
		for _, p := range v.wire.Ports {
			if v.before[p.Name] && !p.Up {
				add("%s has no link and had one under the firmware before", p.Name)
			}
		}
	}
	if !v.page {
		add("the management page is not served")
	}
	return all
}

func (b *box) vitals(ctx context.Context) vitals {
	v := vitals{modules: b.missingModules, faulty: b.faultySettings, ports: b.ports, page: serving() && fingerprint() != "" || b.safe.isLocked(), before: readLinks()}
	if s, err := wireStatus(ctx); err == nil {
		v.wire = s
	}
	return v
}

// prove watches a firmware on trial until it is confirmed or given up: confirmed
// once it has been in health for the time that the settings say, without a break;
// given up when it has not got there in that time and the grace that they give.
func (b *box) prove(ctx context.Context) {
	if b.running.boot.Entry != "" {
		b.step("firmware: boot options", b.ensureOptions)
		b.compareMeasured(ctx)
	}
	if !b.running.counting() {
		if b.running.boot.Entry != "" && b.tryAgain() {
			return
		}
		b.keepConfirmed()
		b.remember(ctx)
		return
	}
	if b.running.slot.Spent() && b.returnToConfirmed() {
		return
	}
	need := b.settings.Firmware.ConfirmAfter
	if readConfirmed() == b.release.Version {
		need = 0 // it had proved itself; on trial was only whether it starts
	}
	b.journal.Logf("firmware: %s is on trial; it stays once it has been in health for %v", b.release.Version, need)
	end := time.Now().Add(need + b.settings.Firmware.GiveUpAfter)
	var healthy time.Time
	said := ""
	for ; ctx.Err() == nil; time.Sleep(time.Second) {
		faults := b.vitals(ctx).faults()
		switch now := time.Now(); {
		case len(faults) == 0 && healthy.IsZero():
			healthy, said = now, ""
		case len(faults) == 0 && now.Sub(healthy) >= need:
			b.settle(ctx)
			return
		case len(faults) == 0:
		case now.After(end):
			b.fail(faults)
			return
		default:
			healthy = time.Time{}
			if text := faultsText(faults); text != said && b.hasForwarded() {
				said = text
				b.journal.Logf("firmware: not in health: %s", text)
			}
		}
	}
}

// settle confirms the firmware.
func (b *box) settle(ctx context.Context) {
	if err := b.confirm(); err != nil {
		b.journal.Logf("firmware: confirm %s: %v; it stays on trial", b.release.Version, err)
		return
	}
	b.journal.Logf("firmware: %s is confirmed", b.release.Version)
	b.keepConfirmed()
	b.remember(ctx)
}

// fail goes back to the firmware before, if there is one.
func (b *box) fail(faults []string) {
	switch err := b.giveUp(); {
	case errors.Is(err, errNoOther):
		b.journal.Logf("firmware: not in health: %s; there is no other firmware to go back to", faultsText(faults))
	case err != nil:
		// Its tries run down at each start, so it comes to its end nevertheless.
		b.journal.Logf("firmware: give up %s: %v", b.release.Version, err)
		b.reboot("firmware " + b.release.Version + " is not in health: " + faultsText(faults))
	default:
		b.reboot("firmware " + b.release.Version + " is given up: " + faultsText(faults))
	}
}

// remember notes the links of a firmware in health, each time that they have
// been the same for a while.
func (b *box) remember(ctx context.Context) {
	var last map[string]bool
	for ; ctx.Err() == nil; time.Sleep(30 * time.Second) {
		s, err := wireStatus(ctx)
		if err != nil || !attached(s) {
			continue
		}
		now := map[string]bool{}
		for _, p := range s.Ports {
			now[p.Name] = p.Up
		}
		if fmt.Sprint(now) == fmt.Sprint(last) && fmt.Sprint(now) != fmt.Sprint(readLinks()) {
			b.step("remember links", func() error { return writeLinks(now) })
		}
		last = now
	}
}

func readLinks() (links map[string]bool) {
	text, err := os.ReadFile(linksFile)
	if err != nil || json.Unmarshal(text, &links) != nil {
		return nil
	}
	return links
}

func writeLinks(links map[string]bool) error {
	text, err := json.Marshal(links)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(linksFile), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(linksFile, text, 0o600)
}
