package keeper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/board/settings"
)

// firmware of a format, as it starts on a data folder and changes its settings.
type firmware struct {
	*testing.T
	data   string
	format int
}

// migrate writes formats down in the text.
func (f firmware) migrate(text string, from int) (string, error) {
	if strings.Contains(text, "cannot") {
		return "", errors.New("it cannot be migrated")
	}
	return text + fmt.Sprintf("; from %d to %d\n", from, f.format), nil
}

func (f firmware) start() { f.tryStart(f.migrate) }

func (f firmware) tryStart(migrate func(string, int) (string, error)) {
	f.Helper()
	if err := adopt(f.data, f.format, migrate, f.Logf); err != nil {
		f.Error(err)
	}
}

func (f firmware) keeper() *Keeper {
	p := settings.PlaceOf(f.data, f.format)
	return &Keeper{Owner: p.Owner, Default: filepath.Join(f.data, "default.ini"), Folder: p.Folder, Now: time.Now}
}

func (f firmware) set(name string) {
	f.Helper()
	if err := f.keeper().Replace("[appliance]\nhostname = "+name+"\n", Change{Who: name}); err != nil {
		f.Error(err)
	}
}

func (f firmware) want(what string) {
	f.Helper()
	now, err := f.keeper().Current()
	if err != nil || !strings.Contains(strings.ReplaceAll(now.Text, "\n", " "), what) {
		f.Errorf("firmware of format %d has %q, %v; want %q", f.format, now.Text, err, what)
	}
}

// world is the firmware of three formats on the same data folder.
func world(t *testing.T) (one, two, three firmware) {
	t.Helper()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "default.ini"), []byte(first), 0o644); err != nil {
		t.Fatal(err)
	}
	return firmware{t, data, 1}, firmware{t, data, 2}, firmware{t, data, 3}
}

func TestAdopt(t *testing.T) {
	one, two, three := world(t)
	one.start()
	one.set("a")
	one.set("b")

	t.Log("an update with another format gets a copy, with what was before")
	two.start()
	two.want("hostname = b ; from 1 to 2")
	if h, err := two.keeper().History(); err != nil || len(h) != 2 || !strings.Contains(h[0].Text, "hostname = a\n; from 1 to 2") {
		t.Errorf("History = %+v, %v; want it copied, too", h, err)
	}
	two.set("c")
	two.start()
	two.want("hostname = c")

	t.Log("the firmware before has its own")
	one.start()
	one.want("hostname = b")

	t.Log("the later one comes again: nothing was changed in between, so its own are the newest")
	two.start()
	two.want("hostname = c")

	t.Log("the firmware before is in charge for longer, and is changed: the copy is made anew")
	one.start()
	one.set("d")
	three.start()
	three.want("hostname = d ; from 1 to 3")
	one.start()
	two.start()
	two.want("hostname = d ; from 1 to 2")
	three.start()
	three.want("hostname = d ; from 1 to 2 ; from 2 to 3")
}

func TestAdoptNothing(t *testing.T) {
	one, two, _ := world(t)
	two.start()
	two.want("hostname = fresh")
	one.start()
	one.want("hostname = fresh")
}

// A change of the management port that nobody has confirmed is not copied.
func TestAdoptUnconfirmed(t *testing.T) {
	one, two, _ := world(t)
	one.set("a")
	k := one.keeper()
	now, err := k.Current()
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{k.unconfirmed(): now.Text, k.Owner: moved} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	two.start()
	two.want("hostname = a ; from 1 to 2")
	one.want("192.0.2.10")
}

// A copy that cannot be made is an error; the next start tries again.
func TestAdoptFails(t *testing.T) {
	one, two, _ := world(t)
	one.start()
	one.set("a")
	if err := adopt(two.data, 2, func(string, int) (string, error) { return "", errors.New("no") }, t.Logf); err == nil {
		t.Error("adopt = nil; want the error of the migration")
	}
	two.start()
	two.want("hostname = a ; from 1 to 2")
}
