// SPDX-License-Identifier: Apache-2.0
//
// A frame as tcx shows it: whole GSO packets, partial checksums, the outer tag
// in the metadata.

#pragma once

typedef struct __sk_buff frame;

#define ATTACHED SEC("tcx/ingress")

enum { DROP = 2 }; // TCX_DROP; bookworm's headers are older than tcx

static __always_inline __u32 frame_port(frame *f) { return f->ifindex; }

static __always_inline __u32 frame_len(frame *f) { return f->len; }

// The packets that the frame is, or will be, on a wire.
static __always_inline __u32 frame_packets(frame *f)
{
	__u32 size = f->gso_size, segs = f->gso_segs;

	if (!size)
		return 1;
	return segs ? segs : (f->len + size - 1) / size;
}

// Payload bytes of each packet that the frame will be on a wire, the last one may
// have less; 0: it is one packet.
static __always_inline __u32 frame_piece(frame *f) { return f->gso_size; }

// The outer tag, where it is not among the bytes: the type at offset 12 is then
// the inner one. 0: there is none.
static __always_inline int frame_tag(frame *f, __u32 *tci)
{
	*tci = f->vlan_tci;
	return f->vlan_present;
}

// 0: done. Reaches what is not in the linear part, too.
static __always_inline long frame_load(frame *f, __u32 off, void *to, __u32 n) { return bpf_skb_load_bytes(f, off, to, n); }

static __always_inline long frame_store(frame *f, __u32 off, const void *from, __u32 n) { return bpf_skb_store_bytes(f, off, from, n, 0); }

// Adds a difference of bpf_csum_diff to the TCP checksum at off, which may be a
// partial one.
static __always_inline long frame_fix_sum(frame *f, __u32 off, __s64 diff) { return bpf_l4_csum_replace(f, off, 0, diff, 0); }

static __always_inline long frame_fix_length(frame *f, __u32 off, __be16 was, __be16 is)
{
	return bpf_l4_csum_replace(f, off, was, is, BPF_F_PSEUDO_HDR | sizeof(was));
}

// Not of several packets, nor one whose sum the NIC has told (bpf_csum_update
// takes no other): the kernel would keep that while the bytes change.
static __always_inline int frame_may_shrink(frame *f) { return !f->gso_size && bpf_csum_update(f, 0) < 0; }

static __always_inline long frame_shrink(frame *f, __u32 n) { return bpf_skb_change_tail(f, f->len - n, 0); }

// Whether the TCP checksum was verified on the way in.
static __always_inline int frame_checked(frame *f) { return bpf_csum_level(f, BPF_CSUM_LEVEL_QUERY) >= 0; }

static __always_inline int to_peer(struct ports_entry *port) { return bpf_redirect(port->peer, 0); }

static __always_inline int to_engine(frame *f, struct ports_entry *port)
{
	(void)f;
	return bpf_redirect(port->tap, 0);
}
