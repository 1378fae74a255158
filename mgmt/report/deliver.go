package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"wirepatch/mgmt/hook"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// Run makes and delivers reports until ctx ends.
func (k *Keeper) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	for {
		if err := k.Due(ctx); err != nil {
			failed(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Due makes the reports whose period has ended, and delivers what waits.
func (k *Keeper) Due(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, err := k.schedules().All()
	if err != nil {
		return err
	}
	for _, s := range all {
		if k.Now().Before(s.Next) {
			continue
		}
		s.Error = ""
		if err := k.makeScheduled(ctx, s.Schedule); err != nil {
			s.Error = short(err.Error())
		}
		s.Next = nextEnd(s.Every, k.Now())
		if err := k.schedules().Put(s.Name, s); err != nil {
			return err
		}
	}
	return k.deliverAll(ctx, all)
}

func (k *Keeper) makeScheduled(ctx context.Context, s Schedule) error {
	q := Question{Kind: s.Kind, CVE: s.CVE, Product: s.Product, Group: s.Group}
	q.From, q.To = periodBefore(s.Every, k.Now())
	r, err := k.Make(ctx, q)
	if err != nil {
		return err
	}
	m := Kept{By: "schedule " + s.Name, Schedule: s.Name, Target: s.Target}
	if s.Target != "" {
		m.Again = k.Now()
	}
	_, err = k.keep(r, m)
	return err
}

// deliverAll tries those whose time it is. A receiver that is away gets them
// later, for a week.
func (k *Keeper) deliverAll(ctx context.Context, schedules []stored) error {
	list, err := k.List()
	if err != nil {
		return err
	}
	slices.Reverse(list) // the oldest first
	for _, m := range list {
		if m.Again.IsZero() || k.Now().Before(m.Again) {
			continue
		}
		i := slices.IndexFunc(schedules, func(s stored) bool { return s.Name == m.Schedule })
		if i < 0 {
			m.Again, m.Error = time.Time{}, "its schedule has been removed"
		} else if err := k.deliver(ctx, schedules[i], m); err != nil {
			m.Error, m.Again = short(err.Error()), k.Now().Add(deliverAgain)
			if k.Now().Sub(m.Made) > deliverFor {
				m.Again, m.Error = time.Time{}, "given up: "+m.Error
			}
		} else {
			m.Delivered, m.Again, m.Error = k.Now().UTC(), time.Time{}, ""
		}
		if err := note(k.DB.Write, m); err != nil {
			return err
		}
	}
	return nil
}

// Delivery is the body that a webhook gets.
type Delivery struct {
	ID     int64   `json:"id"`
	Report *Report `json:"report"`
	PDF    []byte  `json:"pdf"` // base64
}

func (k *Keeper) deliver(ctx context.Context, s stored, m Kept) error {
	r, err := k.Get(m.ID)
	if err != nil {
		return err
	}
	pdf, err := r.PDF()
	if err != nil {
		return err
	}
	body, err := json.Marshal(Delivery{m.ID, r, pdf})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	to := hook.Receiver{URL: s.Target, Secret: s.Key, CA: s.CA}
	if err := to.Open(); err != nil {
		return err
	}
	defer to.Close()
	return to.Post(ctx, body)
}

func short(s string) string {
	if len(s) > 400 {
		return strings.ToValidUTF8(s[:400], "")
	}
	return s
}
