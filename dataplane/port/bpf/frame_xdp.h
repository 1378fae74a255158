// SPDX-License-Identifier: Apache-2.0
//
// A frame as XDP shows it: as it was on the wire, all tags and checksums in it.
// It can lie in several buffers (xdp.frags), which the helpers know.

#pragma once

typedef struct xdp_md frame;

#define ATTACHED SEC("xdp.frags")

enum { DROP = XDP_DROP };

// Receive queues of a port that can have a socket.
#define QUEUES 64

// The sockets of the engine: those of port b's queues behind those of port a's.
// An entry goes with its socket.
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 2 * QUEUES);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_xsks SEC(".maps");

// The two ports.
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_out SEC(".maps");

static __always_inline __u32 frame_port(frame *f) { return f->ingress_ifindex; }

static __always_inline __u32 frame_len(frame *f) { return bpf_xdp_get_buff_len(f); }

static __always_inline __u32 frame_packets(frame *f)
{
	(void)f;
	return 1;
}

static __always_inline __u32 frame_piece(frame *f __attribute__((unused))) { return 0; }

static __always_inline int frame_tag(frame *f, __u32 *tci)
{
	(void)f;
	(void)tci;
	return 0;
}

static __always_inline long frame_load(frame *f, __u32 off, void *to, __u32 n)
{
	return bpf_xdp_load_bytes(f, off, to, n);
}

static __always_inline long frame_store(frame *f, __u32 off, const void *from, __u32 n)
{
	return bpf_xdp_store_bytes(f, off, (void *)from, n);
}

// RFC 1624, equation 3. The difference may carry more than once when folded.
static __always_inline long frame_fix_sum(frame *f, __u32 off, __s64 diff)
{
	__u64 sum;
	__u16 field;

	if (frame_load(f, off, &field, sizeof(field)))
		return -1;
	sum = (__u16)~field + (__u64)(__u32)diff;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	field = ~sum;
	return frame_store(f, off, &field, sizeof(field));
}

static __always_inline long frame_fix_length(frame *f, __u32 off, __be16 was, __be16 is)
{
	return frame_fix_sum(f, off, (__u32)is + (__u16)~was);
}

static __always_inline int frame_may_shrink(frame *f)
{
	(void)f;
	return 1;
}

static __always_inline long frame_shrink(frame *f, __u32 n) { return bpf_xdp_adjust_tail(f, -(int)n); }

static __always_inline int frame_checked(frame *f)
{
	(void)f;
	return 0;
}

static __always_inline int to_peer(struct ports_entry *port) { return bpf_redirect_map(&wp_out, port->side ^ 1, XDP_DROP); }

// Without a socket, the kernel says so at once.
static __always_inline int to_engine(frame *f, struct ports_entry *port)
{
	__u32 queue = f->rx_queue_index;

	if (queue >= QUEUES || bpf_redirect_map(&wp_xsks, port->side * QUEUES + queue, XDP_ABORTED) != XDP_REDIRECT)
		return NOBODY;
	return XDP_REDIRECT;
}
