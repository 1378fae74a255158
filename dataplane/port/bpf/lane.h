// SPDX-License-Identifier: Apache-2.0
//
// Segments that are carried here for the engine: the numbers of sessions whose
// ends count differently after an edit.

#pragma once

#include "maps.h"
#include "parse.h"

struct tcp {
	__be16 port[2];
	__be32 seq, ack;
	__u8 off, flags;
	__be16 window, sum, urgent;
};

enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10, TCP_URG = 0x20 };

struct sack_block {
	__be32 from, to;
};

// Adds delta to the n blocks at offset off and their change to *diff.
static __always_inline int shift_sack(frame *f, __u32 off, __u32 n, __u32 delta, __s64 *diff)
{
	struct sack_block was, is;
	__u32 i;

	for (i = 0; i < 4; i++) {
		if (i >= n)
			break;
		if (frame_load(f, off, &was, sizeof(was)))
			return -1;
		is.from = bpf_htonl(bpf_ntohl(was.from) + delta);
		is.to = bpf_htonl(bpf_ntohl(was.to) + delta);
		*diff = bpf_csum_diff((__be32 *)&was, sizeof(was), (__be32 *)&is, sizeof(is), *diff);
		if (frame_store(f, off, &is, sizeof(is)))
			return -1;
		off += sizeof(is);
	}
	return 0;
}

// Finds the selective acknowledgement among the options (RFC 2018) in the two
// layouts that systems send: alone, or behind timestamps. Sets *off to the
// first block and returns their number; -1 if the options are laid out
// otherwise, so that there could be one elsewhere.
static __always_inline int find_sack(frame *f, struct view *v, struct tcp *h, __u32 *off)
{
	__u8 o[16];
	__u32 len = (h->off >> 4) * 4, at = v->l4 + 20;

	if (len == 20)
		return 0;
	if (len < 24 || frame_load(f, at, o, 4))
		return -1;
	if (o[0] == 1 && o[1] == 1 && o[2] == 8 && o[3] == 10) {
		if (len == 32)
			return 0;
		at += 12;
		if (len < 36 || frame_load(f, at, o, 4))
			return -1;
		len -= 12;
	}
	if (o[0] != 1 || o[1] != 1 || o[2] != 5 || len != 22u + o[3])
		return -1;
	*off = at + 4;
	switch (o[3]) {
	case 10: return 1;
	case 18: return 2;
	case 26: return 3;
	case 34: return 4;
	}
	return -1;
}

// Adds a direction's deltas to a segment. 0: done; other: it was left as it was.
static __always_inline int shift(frame *f, struct view *v, struct tcp *h, __u32 dseq, __u32 dack)
{
	struct sack_block was = { h->seq, h->ack }, is = was;
	__u32 off = 0;
	__s64 diff = 0;
	int n = 0;

	if (!dseq && !dack)
		return 0;
	if (dack && h->flags & TCP_ACK) {
		n = find_sack(f, v, h, &off);
		if (n < 0)
			return -1;
		is.to = bpf_htonl(bpf_ntohl(h->ack) + dack);
	}
	is.from = bpf_htonl(bpf_ntohl(h->seq) + dseq);
	if (n && shift_sack(f, off, n, dack, &diff))
		return -1;
	diff = bpf_csum_diff((__be32 *)&was, sizeof(was), (__be32 *)&is, sizeof(is), diff);
	if (frame_store(f, v->l4 + 4, &is, sizeof(is)))
		return -1;
	return frame_fix_sum(f, v->l4 + 16, diff);
}

// Carries a segment for the engine, if the slot allows it. 1: it may go on.
static __always_inline int carry(frame *f, struct view *v, struct flow_slot *s, struct engine_state *e, __u32 n)
{
	struct flow_dir *d = &s->dir[v->to_client & 1];
	__u32 flags = *(volatile __u32 *)&d->flags, head;
	struct tcp h;

	if (!(flags & FLOW_HASTE) && *(volatile __u64 *)&e->drained < *(volatile __u64 *)&d->mark)
		return 0;
	if (!(flags & FLOW_PASS) || v->proto != PROTO_TCP || frame_load(f, v->l4, &h, sizeof(h)))
		return 0;
	if ((h.flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | TCP_URG)) != TCP_ACK)
		return 0;
	head = v->l4 + (h.off >> 4) * 4;
	if (h.off < 5 << 4 || v->end < head || v->end > frame_len(f))
		return 0;
	if (flags & FLOW_BOUNDED && v->end > head && (__s32)(bpf_ntohl(h.seq) + (v->end - head) - d->limit) > 0)
		return 0;
	if (shift(f, v, &h, d->seq, d->ack))
		return 0;
	__sync_fetch_and_add(&d->packets, n);
	__sync_fetch_and_add(&d->bytes, frame_len(f));
	return 1;
}

// Carries a segment of a settled session while the engine is gone. 1: it may
// go on.
static __always_inline int translate(frame *f, struct view *v, struct flow_slot *s)
{
	struct flow_dir *d = &s->dir[v->to_client & 1];
	struct tcp h;

	if (!(*(volatile __u32 *)&s->state & SETTLED) || frame_load(f, v->l4, &h, sizeof(h)))
		return 0;
	return !shift(f, v, &h, d->seq, d->ack);
}
