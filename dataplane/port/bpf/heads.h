// SPDX-License-Identifier: Apache-2.0
//
// Requests that are not answered yet, kept while a rule on responses may ask
// what the request was: then the engine, should it take the session over for
// the response's sake, can tell. So are requests that are corrected here
// (strike.h): the engine may have to repeat them. A place is found by the
// session's ends; while another session's request lies there, a request goes up.
//
// A place is taken in three steps: it becomes ours, the request is written, and
// it is settled. What lies in it is needed as long as the session that it names
// waits for an answer, or for it to be acknowledged, so nobody need give it back.

#pragma once

#include "follow.h"

#define HEADS (1 << 13)

enum { HEAD_NONE, HEAD_SETTLED, HEAD_TAKEN };

struct head {
	__u32 state; // HEAD_...
	struct flow_key key;
	__u8 b[LOOK];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HEADS);
	__type(key, __u32);
	__type(value, struct head);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_heads SEC(".maps");

// Where the request of a session lies. The Go side computes the same.
static __always_inline __u32 head_place(const struct flow_key *k)
{
	const __u32 *w = (const __u32 *)k;
	__u64 h = 0;
	__u32 i;

#pragma clang loop unroll(full)
	for (i = 0; i < sizeof(*k) / 4; i++)
		h = (h + w[i]) * 0x9e3779b97f4a7c15ULL;
	return h >> 51;
}

// Keeps the n bytes of a request at off. It returns the place, to be settled
// once the request is in the session's books; 0: there is none.
static __always_inline struct head *keep_head(frame *f, struct flow_key *k, __u32 off, __u32 n)
{
	__u32 at = head_place(k), was;
	struct head *p = bpf_map_lookup_elem(&wp_heads, &at);
	struct session *s;

	if (!p)
		return 0;
	was = __sync_val_compare_and_swap(&p->state, HEAD_NONE, HEAD_TAKEN);
	if (was == HEAD_SETTLED) {
		was = __sync_val_compare_and_swap(&p->state, HEAD_SETTLED, HEAD_TAKEN);
		if (was != HEAD_SETTLED)
			return 0;
		s = bpf_map_lookup_elem(&wp_sessions, &p->key);
		if (s && (*(volatile __u8 *)&s->pending || !settled(&s->dir[0])))
			goto no;
	} else if (was != HEAD_NONE) {
		return 0;
	}
	p->key = *k;
	if (n > LOOK || n < 1 || frame_load(f, off, p->b, n))
		goto no;
	return p;
no:
	__sync_lock_test_and_set(&p->state, HEAD_SETTLED);
	return 0;
}

static __always_inline void settle_head(struct head *p)
{
	__sync_lock_test_and_set(&p->state, HEAD_SETTLED);
}
