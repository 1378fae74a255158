// SPDX-License-Identifier: Apache-2.0
//
// What a frame is, as far as its fate depends on it.

#pragma once

#include <bpf/bpf_endian.h>

#include "frame.h"

// More tags (metadata and inline; the engine walks as many) or IPv6 extension
// headers than these are not walked.
#define MAX_TAGS 4
#define MAX_EXTENSIONS 8

enum { ETH_IPV4 = 0x0800, ETH_IPV6 = 0x86dd, ETH_VLAN = 0x8100, ETH_QINQ = 0x88a8 };
enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };
enum { EXT_HOPS = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AUTH = 51, EXT_OPTIONS = 60, EXT_MOBILITY = 135, EXT_HIP = 139, EXT_SHIM6 = 140 };

// What the frame is, as far as its fate depends on it.
enum kind {
	KIND_OTHER,   // nothing that a service could be in
	KIND_L4,      // src, dst, proto, l4 are known
	KIND_ADDRESS, // a fragment, or not walked to its end: src, dst are known
	KIND_QUOTE,   // an ICMP error about a TCP segment: src, dst are those of the segment
	KIND_TAGS,    // more tags than we walk: a host takes off any number of priority tags, so they could hide a session
};

struct view {
	__u8 family;
	__u8 proto;     // 0: not told (KIND_ADDRESS, KIND_QUOTE)
	__u8 to_client; // set by by_service
	__u32 vlan;     // identifiers of the tags, 12 bits each
	__u32 l3;       // offset of the IP header
	__u32 l4;       // offset of the TCP or UDP header
	__u32 end;      // offset behind the IP datagram
	__be16 port[2]; // source, destination: set by by_service
	__u8 src[16], dst[16];
};

struct ipv4 {
	__u8 ver_ihl, tos;
	__be16 len, id, frag;
	__u8 ttl, proto;
	__be16 sum;
	__be32 src, dst;
};

struct ipv6 {
	__be32 ver;
	__be16 len;
	__u8 next, hops;
	__u8 src[16], dst[16];
};

static __always_inline void map_ipv4(__u8 *to, __be32 from)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &from, 4);
}

// An ICMP error at off (RFC 792): destination unreachable, time exceeded or
// parameter problem. It quotes the packet that it is about.
static __always_inline enum kind parse_error4(frame *f, __u32 off, struct view *v)
{
	struct ipv4 h;
	__u8 type;

	if (frame_load(f, off, &type, 1) || (type != 3 && type != 11 && type != 12))
		return KIND_OTHER;
	if (frame_load(f, off + 8, &h, sizeof(h)) || h.ver_ihl >> 4 != 4 || h.proto != PROTO_TCP)
		return KIND_OTHER;
	v->family = 4;
	v->proto = PROTO_TCP;
	map_ipv4(v->src, h.src);
	map_ipv4(v->dst, h.dst);
	return KIND_QUOTE;
}

static __always_inline enum kind parse_ipv4(frame *f, __u32 off, struct view *v)
{
	struct ipv4 h;

	if (frame_load(f, off, &h, sizeof(h)) || h.ver_ihl >> 4 != 4 || (h.ver_ihl & 15) < 5)
		return KIND_OTHER;
	if (h.proto == PROTO_ICMP && !(h.frag & bpf_htons(0x3fff)))
		return parse_error4(f, off + (h.ver_ihl & 15) * 4, v);
	if (h.proto != PROTO_TCP && h.proto != PROTO_UDP)
		return KIND_OTHER;
	v->family = 4;
	v->proto = h.proto;
	v->l3 = off;
	v->l4 = off + (h.ver_ihl & 15) * 4;
	v->end = off + bpf_ntohs(h.len);
	map_ipv4(v->src, h.src);
	map_ipv4(v->dst, h.dst);
	if (h.frag & bpf_htons(0x3fff)) // more fragments, or an offset
		return KIND_ADDRESS;
	return KIND_L4;
}

static __always_inline int is_extension(__u8 next)
{
	return next == EXT_HOPS || next == EXT_ROUTING || next == EXT_FRAGMENT || next == EXT_AUTH ||
	       next == EXT_OPTIONS || next == EXT_MOBILITY || next == EXT_HIP || next == EXT_SHIM6;
}

// The same for ICMPv6 (RFC 4443), with packet too big. The engine walks the
// quoted extension headers.
static __always_inline enum kind parse_error6(frame *f, __u32 off, struct view *v)
{
	struct ipv6 h;
	__u8 type;

	if (frame_load(f, off, &type, 1) || type < 1 || type > 4)
		return KIND_OTHER;
	if (frame_load(f, off + 8, &h, sizeof(h)) || (bpf_ntohl(h.ver) >> 28) != 6)
		return KIND_OTHER;
	if (h.next != PROTO_TCP && !is_extension(h.next))
		return KIND_OTHER;
	v->family = 6;
	__builtin_memcpy(v->src, h.src, 16);
	__builtin_memcpy(v->dst, h.dst, 16);
	return KIND_QUOTE;
}

static __always_inline enum kind parse_ipv6(frame *f, __u32 off, struct view *v)
{
	struct ipv6 h;
	__u8 ext[2], next;
	int i;

	if (frame_load(f, off, &h, sizeof(h)) || (bpf_ntohl(h.ver) >> 28) != 6)
		return KIND_OTHER;
	v->family = 6;
	__builtin_memcpy(v->src, h.src, 16);
	__builtin_memcpy(v->dst, h.dst, 16);
	next = h.next;
	v->l3 = off;
	off += sizeof(h);
	v->end = off + bpf_ntohs(h.len);
	for (i = 0; i < MAX_EXTENSIONS; i++) {
		if (next == PROTO_TCP || next == PROTO_UDP) {
			v->proto = next;
			v->l4 = off;
			return KIND_L4;
		}
		if (next == PROTO_ICMP6)
			return parse_error6(f, off, v);
		if (!is_extension(next))
			return KIND_OTHER;
		if (frame_load(f, off, ext, 2))
			return KIND_ADDRESS;
		if (next == EXT_FRAGMENT) { // the first fragment decides what all are: it names TCP, UDP or what leads there
			if (ext[0] == PROTO_TCP || ext[0] == PROTO_UDP)
				v->proto = ext[0];
			return v->proto || is_extension(ext[0]) ? KIND_ADDRESS : KIND_OTHER;
		}
		off += next == EXT_AUTH ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		next = ext[0];
	}
	return KIND_ADDRESS;
}

static __always_inline enum kind parse(frame *f, struct view *v)
{
	__be16 type, tci;
	__u32 off = 12, outer;
	int i, tags = 0;

	if (frame_tag(f, &outer)) {
		tags = 1;
		v->vlan = outer & 0xfff;
	}

	for (i = 0; i <= MAX_TAGS; i++) {
		if (frame_load(f, off, &type, 2))
			return KIND_OTHER;
		off += 2;
		if (type == bpf_htons(ETH_IPV4))
			return parse_ipv4(f, off, v);
		if (type == bpf_htons(ETH_IPV6))
			return parse_ipv6(f, off, v);
		if (type != bpf_htons(ETH_VLAN) && type != bpf_htons(ETH_QINQ))
			return KIND_OTHER;
		if (++tags > MAX_TAGS)
			return KIND_TAGS;
		if (frame_load(f, off, &tci, 2))
			return KIND_OTHER;
		v->vlan = v->vlan << 12 | (bpf_ntohs(tci) & 0xfff);
		off += 2;
	}
	return KIND_TAGS;
}
