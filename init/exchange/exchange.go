// Package exchange takes all that was set up on a box to another, or back: it
// collects the settings and the management page's part, and puts an import in
// their place when the box starts. It runs in the short-lived program settings,
// apart from the first process: deriving a key takes memory, and a file from
// outside is read here. It decides nothing; init starts it.
//
// An import is checked as a whole, then laid on the data partition in one piece,
// and taken at the next start before anything else reads what it is about. A
// power cut therefore leaves all of the old or, perhaps at a second start, all of
// the new.
package exchange

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"wirepatch/board/keeper"
	"wirepatch/board/sealed"
	"wirepatch/board/settings"
	"wirepatch/firmware/release"
)

// The parts of an export.
const (
	aboutPart    = "about.json"
	settingsPart = "appliance.ini"
	pagePart     = "page.tar" // as the management program made it
)

// Box is where an export comes from, or an import goes to.
type Box struct {
	Data   string
	Secret string // folder of the page's secrets, encrypted where there is a TPM
	Keeper *keeper.Keeper
	// Page runs the management program on its part: "export", "check" or "import".
	Page func(how, who string, in io.Reader, out io.Writer) error
}

// about says what an export is.
type about struct {
	Format  int       `json:"format"`   // of the settings
	Version string    `json:"firmware"` // that made it
	Made    time.Time `json:"made"`
	Who     string    `json:"who,omitempty"` // who has it imported
}

// export is one as it is in memory.
type export struct {
	about
	settings string
	page     []byte
}

// Export collects and seals.
func (b *Box) Export(passphrase string) ([]byte, error) {
	now, err := b.Keeper.Current()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	e := export{about: about{Format: settings.Format, Version: release.Version, Made: time.Now().UTC()}, settings: now.Text}
	var page bytes.Buffer
	if err := b.Page("export", "", nil, &page); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	e.page = page.Bytes()
	plain, err := e.pack()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return sealed.Seal(passphrase, plain)
}

// Stage checks an import and lays it down for the next start. Where it fails,
// nothing is changed.
func (b *Box) Stage(who, passphrase string, file []byte) error {
	plain, err := sealed.Open(passphrase, file)
	if err != nil {
		return err
	}
	e, err := unpack(plain)
	if err != nil {
		return err
	}
	if _, err := e.text(); err != nil {
		return err
	}
	if err := b.Page("check", "", bytes.NewReader(e.page), io.Discard); err != nil {
		return err
	}
	e.Who = who
	return b.lay(e)
}

// TakeSettings puts the settings of a staged import in the place of those that
// are there. It can be done again after a power cut.
func (b *Box) TakeSettings() error {
	e, err := b.staged()
	if err != nil || e == nil {
		return err
	}
	text, err := e.text()
	if err != nil {
		return err
	}
	return b.Keeper.Replace(text, keeper.Change{Who: e.Who, Reason: fmt.Sprintf("import of an export from %s", e.Made.Format(time.DateTime))})
}

// TakePage puts the management page's part in the place of what is there, once
// its folder can be read and before the page is served. With that the import is
// done, or, where it cannot be, forgotten: what is there stays.
func (b *Box) TakePage() error {
	e, err := b.staged()
	if e != nil {
		err = b.openPage(e)
	}
	if e != nil && err == nil {
		err = b.Page("import", e.Who, bytes.NewReader(e.page), io.Discard)
	}
	return errors.Join(err, b.clear())
}

// text returns the settings in this firmware's format, which it would take.
func (e *export) text() (string, error) {
	text, err := settings.Migrate(e.settings, e.Format)
	if err != nil {
		return "", fmt.Errorf("the export's %w; update this box first", err)
	}
	if _, err := settings.Parse([]byte(text)); err != nil {
		return "", fmt.Errorf("the export's settings are faulty: %w", err)
	}
	return text, nil
}

func (e *export) pack() ([]byte, error) {
	head, err := json.Marshal(e.about)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	for _, p := range []struct {
		name string
		text []byte
	}{{aboutPart, head}, {settingsPart, []byte(e.settings)}, {pagePart, e.page}} {
		if err := t.WriteHeader(&tar.Header{Name: p.name, Size: int64(len(p.text)), Mode: 0o600, Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
		if _, err := t.Write(p.text); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), t.Close()
}

// errParts is a sealed file whose content is not an export: of a later firmware.
var errParts = errors.New("the export has parts that this firmware does not know; update this box first")

func unpack(plain []byte) (*export, error) {
	e, seen := new(export), 0
	for t := tar.NewReader(bytes.NewReader(plain)); ; seen++ {
		h, err := t.Next()
		if err == io.EOF && seen == 3 {
			return e, nil
		}
		if err != nil || h.Typeflag != tar.TypeReg {
			return nil, errParts
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return nil, errParts
		}
		switch {
		case h.Name == aboutPart && seen == 0:
			if err := json.Unmarshal(b, &e.about); err != nil {
				return nil, errParts
			}
		case h.Name == settingsPart && seen == 1:
			e.settings = string(b)
		case h.Name == pagePart && seen == 2:
			e.page = b
		default:
			return nil, errParts
		}
	}
}
