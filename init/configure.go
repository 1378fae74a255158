package main

import (
	"errors"
	"io/fs"
	"strings"

	"wirepatch/board/keeper"
	"wirepatch/board/settings"
)

// readSettings reads appliance.ini.
func (b *box) readSettings() {
	b.step("settings", func() error {
		err := keeper.Adopt(settings.DataFolder, b.journal.Logf)
		b.faultySettings = err != nil
		return err
	})
	b.step("settings", b.keeper.Recover)
	b.takeImport(takeSettings)
	set, file, faults := chooseSettings(settings.OwnerPath, settings.DefaultPath)
	b.settings, b.settingsFile = set, b.chosen(file)
	b.faultySettings = b.faultySettings || len(faults) > 0
	for _, f := range faults {
		b.journal.Logf("settings: %s", f)
	}
	b.note(func(p *published) { p.hostname = b.settings.Hostname })
}

// chooseSettings reads the owner's settings, or the default ones when there are
// none or they are faulty. It returns the file that is in force and one line for
// each fault.
func chooseSettings(owner, byDefault string) (s *settings.Settings, file string, faults []string) {
	s, err := settings.Read(owner)
	if err == nil {
		return s, owner, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		faults = append(strings.Split(err.Error(), "\n"), "using "+byDefault+" instead; correct "+owner+" and restart")
	}
	s, err = settings.Read(byDefault)
	if err == nil {
		return s, byDefault, faults
	}
	faults = append(faults, strings.Split(err.Error(), "\n")...)
	return &settings.Settings{Hostname: "wirepatch", Management: settings.Management{Mode: "dhcp"}}, byDefault, faults
}
