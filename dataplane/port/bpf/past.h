// SPDX-License-Identifier: Apache-2.0
//
// What becomes of sessions that are followed below when frames of theirs go
// past the engine, which is gone, or has no more to do with their service.

#pragma once

#include "follow.h"

// Whether the entry only says that the session is the engine's.
static __always_inline int taken_up(struct session *s)
{
	return *(volatile __u8 *)&s->state == SESSION_ABOVE && !s->used && !s->dir[0].isn && !s->dir[1].isn;
}

// A frame goes past while the engine is gone: what was noted of its session is
// no longer true. Of one that was edited it stays true what its numbers differ
// by, and it goes on with that; but not while the receiver may lack something
// that only the engine had. CLOSED: it goes on, and the session is no longer
// known.
__noinline int pass(frame *f, struct view *v, struct flow_key *k)
{
	struct stream *h, *r;
	struct session *s;
	struct segment g;
	__u64 now = bpf_ktime_get_coarse_ns();
	__u32 dseq, dack, ack;
	int whole, sack;

	if (!v || !k)
		return LOST;
	s = bpf_map_lookup_elem(&wp_sessions, k);
	bpf_map_delete_elem(&wp_openings, k);
	if (!s)
		return ON;
	if (!(s->flags & SESSION_EDITED)) {
		// One that was handed up may wait for the engine, which is not to take it
		// by these notes any more. Of one that it has taken there are none.
		if (!taken_up(s) && !bpf_map_delete_elem(&wp_sessions, k))
			return CLOSED;
		return ON;
	}
	sack = find_sack(f, v->l4);
	if (sack < 0 || load_segment(f, v, &g))
		return LOST;
	h = &s->dir[v->to_client & 1];
	r = &s->dir[(v->to_client & 1) ^ 1];
	whole = sound(f, v, &g) && g.h.flags & TCP_ACK;
	bpf_spin_lock(&s->lock);
	ack = bpf_ntohl(g.h.ack) - r->delta;
	if (whole && !settled(r) && (__s32)(ack - r->edge) >= 0 && (__s32)(ack - r->top) <= 0)
		r->una = ack; // now it has
	whole = settled(h) && settled(r);
	dseq = h->delta;
	dack = -r->delta;
	if (whole) {
		s->state = SESSION_STALE;
		s->used = now;
	}
	bpf_spin_unlock(&s->lock);
	if (!whole || shift(f, v->l4, sack, dseq, dack))
		return LOST;
	return ON;
}

// A frame goes past by the session's slot: what the entry says of it, perhaps
// since a moment ago, is no longer true but for what its numbers differ by.
__noinline int outdate(struct flow_key *k)
{
	struct session *s;

	if (!k)
		return 0;
	bpf_map_delete_elem(&wp_openings, k);
	s = bpf_map_lookup_elem(&wp_sessions, k);
	if (!s || taken_up(s))
		return 0;
	if (!(s->flags & SESSION_EDITED))
		return !bpf_map_delete_elem(&wp_sessions, k);
	bpf_spin_lock(&s->lock);
	if (s->state == SESSION_BELOW)
		s->state = SESSION_STALE;
	bpf_spin_unlock(&s->lock);
	return 0;
}

// Whether the session was edited, and goes on without the engine though its
// service is no longer protected.
static __always_inline int leftover(struct flow_key *k)
{
	struct session *s = bpf_map_lookup_elem(&wp_sessions, k);

	return s && s->flags & SESSION_EDITED && *(volatile __u8 *)&s->state != SESSION_ABOVE;
}

// A SYN goes past: another session begins between the same ends.
static __always_inline void replace(struct flow_key *k, struct counts *c)
{
	struct session *s = bpf_map_lookup_elem(&wp_sessions, k);

	bpf_map_delete_elem(&wp_openings, k);
	if (s && *(volatile __u8 *)&s->state != SESSION_ABOVE && !bpf_map_delete_elem(&wp_sessions, k))
		c->closed++;
	else if (s)
		bpf_map_delete_elem(&wp_sessions, k);
}
