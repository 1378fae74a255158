// SPDX-License-Identifier: Apache-2.0
//
// A program that the engine runs (BPF_PROG_TEST_RUN) to make a session its own
// at once: nothing may be followed below between the look and the change. It
// is attached nowhere. Its input is a struct flow_key behind an Ethernet header.

#pragma once

#include "follow.h"

// struct session as it was, but for its lock and mark.
struct taken {
	__u8 session[sizeof(struct session)];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct taken);
} wp_taken SEC(".maps");

SEC("tc")
int take(struct __sk_buff *f)
{
	__u32 zero = 0;
	struct taken *t = bpf_map_lookup_elem(&wp_taken, &zero);
	struct session *s, *to;
	struct flow_key k;

	if (!t || bpf_skb_load_bytes(f, 14, &k, sizeof(k)))
		return 0;
	s = bpf_map_lookup_elem(&wp_sessions, &k);
	if (!s)
		return 0;
	to = (struct session *)t->session;
	bpf_spin_lock(&s->lock);
	to->pending = s->pending;
	to->flags = s->flags;
	to->port = s->port;
	to->used = s->used;
	to->dir[0] = s->dir[0];
	to->dir[1] = s->dir[1];
	to->state = s->state;
	s->state = SESSION_ABOVE;
	bpf_spin_unlock(&s->lock);
	return 1;
}
