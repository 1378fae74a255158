// SPDX-License-Identifier: Apache-2.0
//
// Looks at what servers say first: each service now and then, one session of
// it, and of that the beginning. It decides nothing about a frame. Beside tcx it
// is a program of its own ahead of the other one on port b (watch.c), beside XDP,
// where a port can have one program, a part of it.

#pragma once

#include "frame.h"
#include "parse.h"

#define EVERY_NS 30000000000ULL // one session of a service in so long
#define ACTIVE_NS 10000000000ULL // a session is followed for so long
#define FIRST 8192 // bytes of it that are looked at
#define PIECE 2048 // bytes of one frame
#define BURST 64 // sightings at once,
#define GAP_NS 4000000ULL // and one more in so long

enum { TCP_SYN_ACK = 0x12 };

struct sighting {
	__u8 family, proto, begins, pad;
	__be16 port[2]; // of the server, of the client
	__u8 addr[2][16];
	__u32 offset, len; // of data, in what the server says
	__u8 data[PIECE];
};

struct served {
	__u8 addr[16];
	__be16 port;
	__u8 proto, family;
};

struct talk {
	__u8 addr[2][16];
	__be16 port[2];
};

struct pace {
	__u64 active; // a session is followed until then
	__u64 spent;  // sightings so far, as time
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct served);
	__type(value, __u64);
} wp_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, struct talk);
	__type(value, __u32);
} wp_talks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pace);
} wp_paces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} wp_sightings SEC(".maps");

// Whether one more sighting is within bounds, whatever there is on the wire.
static __always_inline int afford(struct pace *p, __u64 now)
{
	if (p->spent + BURST * GAP_NS < now)
		p->spent = now - BURST * GAP_NS;
	if (p->spent + GAP_NS > now)
		return 0;
	p->spent += GAP_NS;
	return 1;
}

static __always_inline int due(struct view *v, struct pace *p, __u64 now)
{
	struct served k = { .port = v->port[0], .proto = v->proto, .family = v->family };
	__u64 *last;

	__builtin_memcpy(k.addr, v->src, 16);
	last = bpf_map_lookup_elem(&wp_seen, &k);
	if (last && *last + EVERY_NS > now)
		return 0;
	if (!afford(p, now))
		return 0;
	bpf_map_update_elem(&wp_seen, &k, &now, BPF_ANY);
	return 1;
}

static __always_inline void report(frame *f, struct view *v, __u8 begins, __u32 offset, __u32 from, __u32 len)
{
	struct sighting *s = bpf_ringbuf_reserve(&wp_sightings, sizeof(*s), 0);

	if (!s)
		return;
	s->family = v->family;
	s->proto = v->proto;
	s->begins = begins;
	s->pad = 0;
	s->port[0] = v->port[0];
	s->port[1] = v->port[1];
	__builtin_memcpy(s->addr[0], v->src, 16);
	__builtin_memcpy(s->addr[1], v->dst, 16);
	s->offset = offset;
	if (len > PIECE)
		len = PIECE;
	s->len = 0;
	if (len > 0 && len <= PIECE && !frame_load(f, from, s->data, len))
		s->len = len;
	bpf_ringbuf_submit(s, 0);
}

// Ports below 1024, and some above, are servers' also where there is no
// handshake to tell.
static __always_inline int served_by_udp(__be16 port)
{
	switch (bpf_ntohs(port)) {
	case 1194: case 1434: case 1812: case 1813: case 3478: case 5060: case 5683: case 51820:
		return 1;
	}
	return bpf_ntohs(port) < 1024;
}

static __always_inline void watch_tcp(frame *f, struct view *v, struct pace *p, __u64 now)
{
	struct talk t = {};
	__u32 seq, *first, from, offset, one;
	__u8 h[14];

	if (frame_load(f, v->l4, h, sizeof(h)))
		return;
	if ((h[13] & TCP_SYN_ACK) != TCP_SYN_ACK && now > p->active)
		return;
	__builtin_memcpy(&v->port[0], h, 4);
	__builtin_memcpy(&seq, h + 4, 4);
	seq = bpf_ntohl(seq);
	__builtin_memcpy(t.addr[0], v->src, 16);
	__builtin_memcpy(t.addr[1], v->dst, 16);
	t.port[0] = v->port[0];
	t.port[1] = v->port[1];
	if ((h[13] & TCP_SYN_ACK) == TCP_SYN_ACK) {
		if (!due(v, p, now))
			return;
		one = seq + 1;
		bpf_map_update_elem(&wp_talks, &t, &one, BPF_ANY);
		p->active = now + ACTIVE_NS;
		report(f, v, 1, 0, 0, 0);
		return;
	}
	from = v->l4 + (h[12] >> 4) * 4;
	if (from >= v->end)
		return;
	first = bpf_map_lookup_elem(&wp_talks, &t);
	if (!first)
		return;
	offset = seq - *first;
	if (offset >= FIRST) {
		bpf_map_delete_elem(&wp_talks, &t);
		return;
	}
	if (afford(p, now))
		report(f, v, 0, offset, from, v->end - from);
}

// A frame that came in on port b, as parse found it.
static __noinline int watch_frame(frame *f, struct view *v)
{
	__u32 zero = 0;
	struct pace *p = bpf_map_lookup_elem(&wp_paces, &zero);
	__u64 now;

	if (!p)
		return 0;
	now = bpf_ktime_get_coarse_ns();
	if (v->proto == PROTO_TCP)
		watch_tcp(f, v, p, now);
	else if (v->proto == PROTO_UDP && !frame_load(f, v->l4, v->port, sizeof(v->port)) && served_by_udp(v->port[0]) && v->l4 + 8 < v->end && due(v, p, now))
		report(f, v, 1, 0, v->l4 + 8, v->end - v->l4 - 8);
	return 0;
}
