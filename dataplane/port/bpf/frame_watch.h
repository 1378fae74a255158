// SPDX-License-Identifier: Apache-2.0
//
// A frame as the program that only looks (watch.c) sees it.

#pragma once

typedef struct __sk_buff frame;

static __always_inline int frame_tag(frame *f, __u32 *tci)
{
	*tci = f->vlan_tci;
	return f->vlan_present;
}

static __always_inline long frame_load(frame *f, __u32 off, void *to, __u32 n) { return bpf_skb_load_bytes(f, off, to, n); }
