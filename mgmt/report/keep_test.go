package report

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirepatch/mgmt/store"
)

func keeper(t *testing.T) (*Keeper, *time.Time) {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "r.db"), store.Schema{Steps: []string{Schema}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	now := time.Date(2026, 11, 26, 7, 0, 0, 0, time.UTC)
	return &Keeper{DB: db, Now: func() time.Time { return now }, Make: func(_ context.Context, q Question) (*Report, error) {
		k := known()
		k.Now = now
		return Make(q, k)
	}}, &now
}

// A schedule makes its report when a period has ended; the receiver is away, and
// gets it when it is back, signed; the report is kept all the while.
func TestScheduledAndDelivered(t *testing.T) {
	k, now := keeper(t)
	away := true
	var got []Delivery
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write(body)
		var d Delivery
		if err := json.Unmarshal(body, &d); err != nil || r.Header.Get("X-Wirepatch-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("received %.80q, %v, signed %q", body, err, r.Header.Get("X-Wirepatch-Signature"))
		}
		if away {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		got = append(got, d)
	}))
	defer receiver.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}))
	due := func() {
		t.Helper()
		if err := k.Due(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	list := func() []Kept {
		t.Helper()
		all, err := k.List()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if err := k.Put(Schedule{Name: "weekly", Every: "week", Kind: Exposure, Target: receiver.URL, CA: ca, Secret: "secret"}); err != nil {
		t.Fatal(err)
	}
	if all, _ := k.Schedules(); len(all) != 1 || all[0].Secret != "" {
		t.Errorf("schedules = %+v; want the one, without its secret", all)
	}
	if due(); len(list()) != 0 {
		t.Error("made before the week is over")
	}
	*now = day(2026, 11, 30).Add(time.Minute)
	due()
	if all := list(); len(all) != 1 || all[0].Again.IsZero() || !strings.Contains(all[0].Error, "503") || all[0].From != day(2026, 11, 23) || all[0].To != day(2026, 11, 30) {
		t.Fatalf("the receiver is away: %+v", all)
	}
	*now = now.Add(time.Minute)
	if due(); len(list()) != 1 {
		t.Error("made twice")
	}
	away = false
	*now = now.Add(deliverAgain)
	due()
	all := list()
	if len(got) != 1 || all[0].Delivered.IsZero() || all[0].Error != "" || got[0].ID != all[0].ID || !strings.HasPrefix(string(got[0].PDF), "%PDF") {
		t.Fatalf("it is back: %d deliveries, %+v", len(got), all)
	}
	r, err := k.Get(all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(r)
	if sum(body) != all[0].Sum {
		t.Error("what is kept is not what was made")
	}
	*now = now.Add(time.Hour)
	if due(); len(got) != 1 {
		t.Error("delivered twice")
	}
	// One that nobody takes for a week is given up, and stays here.
	away = true
	*now = day(2026, 12, 7).Add(time.Minute)
	due()
	*now = now.Add(deliverFor + time.Hour)
	due()
	for _, m := range list() {
		if m.From == day(2026, 11, 30) && (!m.Again.IsZero() || !strings.Contains(m.Error, "given up")) {
			t.Errorf("after a week: %+v", m)
		}
	}
}

func TestKeptIsBounded(t *testing.T) {
	k, _ := keeper(t)
	r, err := k.Make(t.Context(), november)
	if err != nil {
		t.Fatal(err)
	}
	for range maxKept + 5 {
		if _, err := k.Keep(r, "admin"); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := k.List(); err != nil || len(all) != maxKept || all[0].ID != maxKept+5 {
		t.Errorf("%d are kept, %v; want the last %d", len(all), err, maxKept)
	}
	if _, err := k.Get(1); err != ErrNone {
		t.Errorf("the first: %v; want it gone", err)
	}
	for what, s := range map[string]Schedule{
		"a name": {Name: "<", Every: "week", Kind: Effect}, "a period": {Name: "a", Every: "hour", Kind: Effect}, "a kind": {Name: "a", Every: "week", Kind: "x"}, "a target": {Name: "a", Every: "week", Kind: Effect, Target: "http://x"}, "an authority": {Name: "a", Every: "week", Kind: Effect, CA: "x"},
	} {
		if k.Put(s) == nil {
			t.Errorf("%s that is faulty is taken", what)
		}
	}
	if err := k.Remove("none"); err != ErrNone {
		t.Errorf("remove one that is not there: %v", err)
	}
}
