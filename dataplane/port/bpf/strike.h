// SPDX-License-Identifier: Apache-2.0
//
// Corrections that are made here: a line of a request's head that one rule takes
// away whatever it says. What was taken out is in the session's books, the request
// as it came in its head's place (heads.h), and the engine is told with the line.

#pragma once

#include "heads.h"

#define STRUCK_ROOM (4 << 20)

// What the engine makes an event of.
struct struck {
	struct flow_key key;
	__u32 first; // the session was not edited before
	__u32 len;
	__u8 line[STRIKE_LINE];
};

// The engine reads it every few milliseconds, and its successor what it has left.
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, STRUCK_ROOM);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_struck SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct struck);
} wp_telling SEC(".maps");

// Whether the one field that a strike takes away is a line of the simple head
// just looked at, of n bytes. Leaves the line in the scratch's cut and cut_len.
__noinline int struck_line(__u32 n)
{
	struct scan *s = scratch();
	__u32 zero = 0, i;
	struct vetting *t = bpf_map_lookup_elem(&wp_vetting, &zero);
	struct strike *k;
	__u64 len, from;

	if (!s || !t || s->struck != 1)
		return 0;
	k = &t->strikes[s->needles >> 1 & 1][s->strike & (STRIKES - 1)];
	len = k->len;
	from = s->colon - len;
	PLAIN(from);
	if (len < 1 || len > STRIKE_NAME || from < 1 || from >= LOOK)
		return 0;
	if (s->b[from - 1] != '\n')
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < STRIKE_NAME; i++) { // names of one hash can be made
		if (i < len && t->bytes[s->b[from + i]] >> 8 != k->name[i])
			return 0;
	}
	s->cut = from;
	s->at = s->colon;
	s->bad = 1;
	bpf_loop(LOOK / STEP, to_line_end, 0, 0);
	if (s->bad || s->at + 2 >= n)
		return 0;
	s->cut_len = s->at + 1 - from;
	return 1;
}

// Whether a correction may be made in the frame, and the engine be told of it.
static __always_inline int may_strike(frame *f, struct view *v)
{
	return v->end == frame_len(f) && frame_may_shrink(f) && bpf_ringbuf_query(&wp_struck, BPF_RB_AVAIL_DATA) < STRUCK_ROOM / 4 * 3;
}

// Tells of a correction that is about to be made.
static __always_inline void tell_strike(frame *f, struct flow_key *k, struct segment *g, struct finding *d)
{
	__u32 zero = 0;
	struct struck *t = bpf_map_lookup_elem(&wp_telling, &zero);
	__u64 len = d->cut_len;

	PLAIN(len);
	if (!t || len < 1 || len > STRIKE_LINE)
		return;
	t->key = *k;
	t->first = d->first;
	t->len = len;
	if (frame_load(f, g->head + d->cut, t->line, len))
		return;
	bpf_ringbuf_output(&wp_struck, t, __builtin_offsetof(struct struck, line) + len, BPF_RB_NO_WAKEUP);
}

// Has the IP header say that the packet is shorter.
static __always_inline int shorten(frame *f, struct view *v, __u32 by)
{
	__u32 off = v->l3 + (v->family == 4 ? 2 : 4), sum;
	__be16 was, is, field;

	if (frame_load(f, off, &was, sizeof(was)))
		return -1;
	is = bpf_htons(bpf_ntohs(was) - by);
	if (frame_store(f, off, &is, sizeof(is)))
		return -1;
	if (v->family != 4)
		return 0;
	if (frame_load(f, v->l3 + 10, &field, sizeof(field)))
		return -1;
	sum = (__u16)~field + (__u16)~was + is; // RFC 1624, equation 3
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	field = ~sum;
	return frame_store(f, v->l3 + 10, &field, sizeof(field));
}

// Takes the scratch's cut out of the segment whose n bytes of payload, at head,
// the scratch holds. 0: done; other: the frame is not to be used.
__noinline int strike(frame *f, struct view *v, __u32 head, __u32 n)
{
	struct scan *c = scratch();
	__u64 size = n, at, len, behind, rest;
	__u32 was, is, l4;

	if (!c || !v)
		return -1;
	at = c->cut, len = c->cut_len;
	PLAIN(size);
	if (size < 1 || size > LOOK || at >= size || len < 1 || len >= size - at)
		return -1;
	behind = at + len;
	rest = size - behind;
	PLAIN(behind);
	PLAIN(rest);
	// The upper bound first: of a difference, which might be below 0, Linux 7.3 does
	// not keep that it is not 0.
	if (behind >= LOOK || rest > LOOK || rest < 1)
		return -1;
	*(__u32 *)&c->b[size] = 0;
	was = sum_loaded(size, 0);
	if (frame_store(f, head + at, &c->b[behind], rest) || frame_shrink(f, len))
		return -1;
	size = n - len;
	PLAIN(size);
	if (size > LOOK || size < 1 || frame_load(f, head, c->b, size))
		return -1;
	*(__u32 *)&c->b[size] = 0;
	is = sum_loaded(size, 0);
	l4 = v->l4;
	if (frame_fix_sum(f, l4 + 16, is + (0xffff ^ was)))
		return -1;
	if (frame_fix_length(f, l4 + 16, bpf_htons(v->end - l4), bpf_htons(v->end - l4 - len)))
		return -1;
	return shorten(f, v, len);
}
