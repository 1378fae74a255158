package update

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"wirepatch/board/atomicfile"
	"wirepatch/firmware/pack"
	"wirepatch/firmware/slot"
	"wirepatch/firmware/uki"
)

// InstallFirmware puts a downloaded firmware into the slot that is not running.
// It starts at the next restart. The running one must be confirmed: it is what
// the box goes back to.
func (c *Client) InstallFirmware(file string, i *Item) error {
	if err := c.installFirmware(file, i); err != nil {
		return judge(err)
	}
	return nil
}

func (c *Client) installFirmware(file string, i *Item) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	// The signature covers what the repository says of it; it must say the same.
	about, err := uki.ReadAbout(f)
	if err != nil {
		return refuse(Damaged, "%v", err)
	}
	if about.Board != c.Board {
		return refuse(WrongBoard, "the firmware is for board %s; this box is a %s", about.Board, c.Board)
	}
	if about.Version != i.Version || slot.Compare(i.Version, c.Version) <= 0 {
		return refuse(Older, "the firmware is %s; this box runs %s, and takes none that is older or the same", about.Version, c.Version)
	}
	boot, err := slot.ReadBoot(slot.Efivars)
	if err != nil {
		return refuse(NotReady, "this box has no firmware slots: %v", err)
	}
	return slot.With(boot.Partition, func(d slot.Dir) error {
		running, err := d.Find(boot.Entry)
		if err != nil {
			return err
		}
		if running.Counting {
			return refuse(NotReady, "the running firmware %s is still on trial; wait until it is confirmed", running.Version)
		}
		// From here on the boot loader chooses, and counts.
		if err := (slot.Next{}).Leave(slot.Efivars); err != nil {
			return err
		}
		next := slot.Slot{Version: i.Version, Counting: true, Left: slot.Tries}
		return d.Install(next, running, f, i.Bytes, func(r io.Reader) error { return VerifyReader(r, i) })
	})
}

// Names of definition packs on the data partition.
const (
	packs   = "definitions" // below the client's folder: one folder for each pack
	current = "current"     // a file in there: the revision in use
)

// InstallDefinitions unpacks a downloaded pack and returns its folder. It is not
// in use until Use says so.
func (c *Client) InstallDefinitions(file string, i *Item) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", judge(err)
	}
	defer f.Close()
	p, err := pack.Read(f)
	if err != nil {
		return "", refuse(Damaged, "%v", err)
	}
	if p.Revision != i.Revision {
		return "", refuse(Damaged, "the pack says revision %d; signed is %d", p.Revision, i.Revision)
	}
	dir := filepath.Join(c.Dir, packs, fmt.Sprint(p.Revision))
	// What a power cut left of an earlier try.
	if err := os.RemoveAll(dir); err != nil {
		return "", judge(err)
	}
	if err := p.Unpack(dir); err != nil {
		return "", judge(err)
	}
	return dir, nil
}

// Use makes the definitions of a revision those that the box starts with, and
// forgets all other packs but the one before.
func (c *Client) Use(revision, before int) error {
	dir := filepath.Join(c.Dir, packs)
	if err := atomicfile.Write(filepath.Join(dir, current), fmt.Appendln(nil, revision), 0o644); err != nil {
		return err
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		if n := e.Name(); e.IsDir() && n != fmt.Sprint(revision) && n != fmt.Sprint(before) {
			if err := os.RemoveAll(filepath.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// InUse returns the definitions that a box starts with: the folder of the pack
// in the client's folder, if it is newer than the image's own revision.
func InUse(dir string, image int) (folder string, revision int) {
	text, err := os.ReadFile(filepath.Join(dir, packs, current))
	if err != nil {
		return "", image
	}
	var n int
	if _, err := fmt.Sscan(string(text), &n); err != nil || n <= image {
		return "", image
	}
	folder = filepath.Join(dir, packs, fmt.Sprint(n))
	if _, err := os.Stat(folder); err != nil {
		return "", image
	}
	return folder, n
}
