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

// Functions that are not static are verified once, whatever the ways that lead
// to them.

// Finds the selective acknowledgement of the TCP header at l4 (RFC 2018) in the
// two layouts that systems send: alone, or behind timestamps. Returns the
// number of its blocks, and above that the offset of the first one; -1 if the
// options are laid out otherwise, so that there could be one elsewhere.
__noinline int find_sack(frame *f, __u32 l4)
{
	__u8 o[4], off;
	__u32 len, at = l4 + 20;

	if (frame_load(f, l4 + 12, &off, 1))
		return -1;
	len = (off >> 4) * 4;
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
	if (o[3] != 10 && o[3] != 18 && o[3] != 26 && o[3] != 34)
		return -1;
	return (at + 4) << 3 | o[3] >> 3;
}

// Whether all blocks that find_sack has found begin at edge or behind it.
__noinline int sack_behind(frame *f, __u32 sack, __u32 edge)
{
	__u32 i, off = sack >> 3;
	__be32 from;

	for (i = 0; i < 4; i++, off += sizeof(struct sack_block)) {
		if (i >= (sack & 7))
			break;
		if (frame_load(f, off, &from, sizeof(from)) || (__s32)(bpf_ntohl(from) - edge) < 0)
			return 0;
	}
	return 1;
}

// Adds a direction's deltas to the segment at l4, with the blocks that
// find_sack has found. 0: done; other: it is not to be used.
__noinline int shift(frame *f, __u32 l4, __u32 sack, __u32 dseq, __u32 dack)
{
	struct sack_block was, is;
	__u32 i, off = sack >> 3;
	__s64 diff = 0;
	__u8 flags;

	if (!dseq && !dack)
		return 0;
	if (frame_load(f, l4 + 4, &was, sizeof(was)) || frame_load(f, l4 + 13, &flags, 1))
		return -1;
	is.from = bpf_htonl(bpf_ntohl(was.from) + dseq);
	is.to = flags & TCP_ACK ? bpf_htonl(bpf_ntohl(was.to) + dack) : was.to;
	diff = bpf_csum_diff((__be32 *)&was, sizeof(was), (__be32 *)&is, sizeof(is), diff);
	if (frame_store(f, l4 + 4, &is, sizeof(is)))
		return -1;
	for (i = 0; i < 4; i++, off += sizeof(was)) {
		if (i >= (sack & 7))
			break;
		if (frame_load(f, off, &was, sizeof(was)))
			return -1;
		is.from = bpf_htonl(bpf_ntohl(was.from) + dack);
		is.to = bpf_htonl(bpf_ntohl(was.to) + dack);
		diff = bpf_csum_diff((__be32 *)&was, sizeof(was), (__be32 *)&is, sizeof(is), diff);
		if (frame_store(f, off, &is, sizeof(is)))
			return -1;
	}
	return frame_fix_sum(f, l4 + 16, diff);
}

// Carries a segment for the engine, if the slot allows it. 1: it may go on.
static __always_inline int carry(frame *f, struct view *v, struct flow_slot *s, struct engine_state *e, __u32 n)
{
	struct flow_dir *d = &s->dir[v->to_client & 1];
	__u32 flags = *(volatile __u32 *)&d->flags, head;
	struct tcp h;
	int sack = 0;

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
	if (d->ack && (sack = find_sack(f, v->l4)) < 0)
		return 0;
	if (shift(f, v->l4, sack, d->seq, d->ack))
		return 0;
	__sync_fetch_and_add(&d->packets, n);
	__sync_fetch_and_add(&d->bytes, frame_len(f));
	return 1;
}

// Carries a segment of a settled session while the engine is gone. 1: it may
// go on.
__noinline int translate(frame *f, struct view *v, struct flow_slot *s)
{
	struct flow_dir *d;
	struct tcp h;
	int sack = 0;

	if (!v || !s)
		return 0;
	d = &s->dir[v->to_client & 1];
	if (!(*(volatile __u32 *)&s->state & SETTLED) || frame_load(f, v->l4, &h, sizeof(h)))
		return 0;
	if (d->ack && h.flags & TCP_ACK && (sack = find_sack(f, v->l4)) < 0)
		return 0;
	return !shift(f, v->l4, sack, d->seq, d->ack);
}
