// SPDX-License-Identifier: Apache-2.0
//
// What the program and the engine share: the maps, and what lies in them.

#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "ticks.h"

struct ports_entry {
	__u32 ifindex, peer, tap, side;
};

// Written by the engine through mmap.
struct engine_state {
	__u64 heartbeat; // CLOCK_MONOTONIC, ns; 0: gone on purpose
	__u64 tx_packets[2], tx_bytes[2], tx_failed[2];
	__u64 handed;  // written here: frames handed up, both ports
	__u64 drained; // the engine has read what was handed up before handed had this value
	// At the heartbeat: the processor that the engine ran on, counted from 1, and its
	// clock (wp_ticks). 0: there are no such clocks.
	__u64 cpu, tick;
};

struct service_key {
	__u32 prefixlen; // 32 for family, protocol and port, then those of addr
	__u8 family;     // 4, 6
	__u8 proto;
	__be16 port;
	__u8 addr[16]; // IPv4: ::ffff:a.b.c.d
};

struct address_key {
	__u32 prefixlen; // 32 for family, protocol and pad, then those of addr
	__u8 family;
	__u8 proto; // 0: whichever, for what does not tell
	__u8 pad[2];
	__u8 addr[16];
};

struct policy {
	__u32 fail_closed;
	__u32 below; // BELOW_... (follow.h)
	__u64 bypassed, dropped; // packets while the engine was gone
};

// The two ends of a session: client, then server.
struct flow_key {
	__u32 vlan; // as view.vlan
	__u8 family, pad[3];
	__be16 port[2];
	__u8 addr[2][16];
};

// Slots that the engine can give to sessions.
#define SLOTS 65536

enum {
	FLOW_PASS = 1,    // segments of this direction are carried here
	FLOW_BOUNDED = 2, // only those whose payload ends at or before limit
	FLOW_HASTE = 4,   // even if some overtake others that are still with the engine
};

// One direction of a session: 0 to the server, 1 to the client.
struct flow_dir {
	__u32 flags;
	__u32 seq, ack;       // to add to the sequence and acknowledgement numbers
	__u32 limit;          // sequence number, as the sender counts
	__u64 packets, bytes; // carried here; bytes are those of frames
	__u64 mark;           // engine_state.handed when the last segment went up
};

enum { SETTLED = 1 }; // every edit is acknowledged: the deltas hold for all that comes

// Written by the engine through mmap, but for the counters.
struct flow_slot {
	struct flow_dir dir[2];
	__u32 state;
	__u32 lent; // the session is followed below: its entry in wp_sessions says how it stands
	__u32 at[2]; // for the engine: sequence numbers sent in each direction,
	__u8 server, link_len, link[30]; // the server's port, and the link header of frames to it, with its tags
};

struct counts {
	__u64 rx_packets, rx_bytes, forwarded, handed_up;
	__u64 bypassed; // of forwarded: those of protected services, while the engine was gone
	__u64 drop_closed, drop_edited, drop_tags, drop_config;
	__u64 drop_shift; // whose numbers could not be translated
	__u64 carried; // of forwarded: those of protected sessions, on behalf of the engine
	__u64 struck; // requests that were corrected here
	__u64 opened, closed; // sessions that began, and ended, without the engine
	__u64 translated; // of carried: those of edited sessions, whose numbers differ
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct ports_entry);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct engine_state);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_engine SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct service_key);
	__type(value, struct policy);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct address_key);
	__type(value, struct policy);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct counts);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_counts SEC(".maps");

// Sessions of which the engine knows more than the kernel could find out: the
// slot in wp_slots that says what.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SLOTS);
	__type(key, struct flow_key);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct flow_slot);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_slots SEC(".maps");
