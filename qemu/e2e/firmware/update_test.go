package firmware

import (
	"bytes"
	"strings"
	"testing"
)

// TestUpdate: a box looks into the repository, takes definitions while a session
// goes on and firmware with one restart, and refuses what it must not take.
func TestUpdate(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	over := a.trusting("repository = " + a.url + "\n")
	m := newMachine(t)
	l := m.cable()
	m.fill(map[string][]byte{"wirepatch_0.1.0.efi": variant{version: "0.1.0", over: over}.build(t)})
	// The battery of its clock is dead.
	m.config.More = []string{"-rtc", "base=2001-01-01T00:00:00"}
	a.offer(variant{version: "0.1.0"})

	m.on()
	m.wait(`clock: 2001-01-01 is before this firmware was made`)
	m.wait(`slot 0.1.0 runs, confirmed`)
	m.waitAll(`updated: ready`, `inspecting, `)
	m.shell()
	m.busy(l, func() {
		// Not sooner: a box looks by itself, too, at any moment of its first minutes.
		a.offerDefinitions(7)
		m.typed("updated check")
		m.wait(`updated: definitions 7 are in force`)
	})

	t.Log("what must not be taken is refused with its reason")
	foreign := newAuthor(t)
	foreign.offer(variant{version: "0.3.0"})
	for _, tt := range []struct {
		url, code string
	}{
		{foreign.file(a, "foreign", nil), "bad-signature"},
		{a.file(a, "older", nil), "older"},
		{a.file(a, "short", func(b []byte) []byte { return b[:2000] }), "cut-short"},
		{a.file(a, "nonsense", func(b []byte) []byte { return []byte(strings.Repeat("nonsense", 1000)) }), "damaged"},
	} {
		m.refused(m.fetch(tt.url), tt.code)
	}

	t.Log("a newer firmware is put in, tried and confirmed")
	a.offer(variant{version: "0.2.0", over: over})
	m.typed("updated install")
	m.wait(`firmware 0.2.0 is installed; restarting into it`)
	m.wait(`slot 0.2.0 runs, on trial`)
	m.wait(`definitions: revision 7, from an update`)
	m.wait(`firmware: 0.2.0 is confirmed`)
	m.wantSlots("wirepatch_0.1.0.efi", "wirepatch_0.2.0.efi")
	if n := bytes.Count(m.log.Bytes(), []byte("Restarting system")); n != 1 {
		t.Errorf("the machine restarted %d times; want once", n)
	}
}

// refused uploads a file and wants it refused with that code.
func (m *machine) refused(file, code string) {
	m.Helper()
	m.typed("updated upload " + file)
	m.wait(`refused \(%s\): `, code)
	m.run("rm " + file)
}
