package wire

import (
	"cmp"
	"slices"
	"strings"

	"wirepatch/dataplane/control"
	"wirepatch/dataplane/session"
)

// How much is kept. Corrections have a list of their own, and so has the rest:
// who floods the one does not push out the other.
const (
	keepCorrections = 200
	keepEvents      = 500
	maxText         = 1024 // bytes of one text field
)

// journal is the bounded copy of events, oldest first.
type journal struct {
	seq         uint64
	corrections []Record
	events      []Record
}

func (j *journal) add(source string, e control.Event) Record {
	j.seq++
	r := Record{Seq: j.seq, Source: source, Event: bounded(e)}
	j.put(r)
	return r
}

func (j *journal) put(r Record) {
	if r.IsCorrection() {
		j.corrections = push(j.corrections, r, keepCorrections)
	} else {
		j.events = push(j.events, r, keepEvents)
	}
}

func push(list []Record, r Record, keep int) []Record {
	if len(list) >= keep {
		list = slices.Delete(list, 0, len(list)-keep+1)
	}
	return append(list, r)
}

// bounded cuts what is longer than the dataplane promises. Before and After
// are cut by copying, so that a large answer is not kept alive.
func bounded(e control.Event) control.Event {
	for _, s := range []*string{&e.Kind, &e.Text, &e.Service, &e.Client, &e.Server} {
		*s = cut(*s)
	}
	if e.Evidence == nil {
		return e
	}
	v := *e.Evidence
	for _, s := range []*string{&v.Definition, &v.Mode, &v.Action, &v.Element, &v.Note} {
		*s = cut(*s)
	}
	v.Before = slices.Clone(v.Before[:min(len(v.Before), session.EvidenceLimit)])
	v.After = slices.Clone(v.After[:min(len(v.After), session.EvidenceLimit)])
	e.Evidence = &v
	return e
}

func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// newest returns up to n records, newest first.
func newest(list []Record, n int) []Record {
	out := slices.Clone(list[max(0, len(list)-n):])
	slices.Reverse(out)
	return out
}

// since returns up to n records with a number above seq, oldest first, of both
// lists.
func (j *journal) since(seq uint64, n int) []Record {
	var out []Record
	for _, list := range [][]Record{j.corrections, j.events} {
		at, found := slices.BinarySearchFunc(list, seq, func(r Record, s uint64) int {
			return cmp.Compare(r.Seq, s)
		})
		if found {
			at++
		}
		out = append(out, list[at:]...)
	}
	slices.SortFunc(out, func(a, b Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return out[:min(n, len(out))]
}
