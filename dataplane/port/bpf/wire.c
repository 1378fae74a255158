// SPDX-License-Identifier: Apache-2.0
//
// The program on both wire ports (tcx ingress). It decides for every frame:
// on to the other port, up to the engine, or nowhere. It changes no byte.
// Headers are read with bpf_skb_load_bytes, which also reaches what is not in
// the linear part.

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// The engine is given up when its heartbeat is older than this.
#define STALE_NS 400000000ULL

// More tags (metadata and inline; the engine walks as many) or IPv6 extension
// headers than these are not walked.
#define MAX_TAGS 4
#define MAX_EXTENSIONS 8

enum { ETH_IPV4 = 0x0800, ETH_IPV6 = 0x86dd, ETH_VLAN = 0x8100, ETH_QINQ = 0x88a8 };
enum { DROP = 2 }; // TCX_DROP; bookworm's headers are older than tcx
enum { PROTO_TCP = 6, PROTO_UDP = 17 };
enum { EXT_HOPS = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AUTH = 51, EXT_OPTIONS = 60, EXT_MOBILITY = 135, EXT_HIP = 139, EXT_SHIM6 = 140 };

struct ports_entry {
	__u32 ifindex, peer, tap, pad;
};

// Written by the engine through mmap.
struct engine_state {
	__u64 heartbeat; // CLOCK_MONOTONIC, ns; 0: gone on purpose
	__u64 tx_packets[2], tx_bytes[2], tx_failed[2];
};

struct service_key {
	__u32 prefixlen; // 32 for family, protocol and port, then those of addr
	__u8 family;     // 4, 6
	__u8 proto;
	__be16 port;
	__u8 addr[16]; // IPv4: ::ffff:a.b.c.d
};

struct address_key {
	__u32 prefixlen; // 32 for family and pad, then those of addr
	__u8 family, pad[3];
	__u8 addr[16];
};

struct policy {
	__u32 fail_closed;
};

// The two ends of a session, whichever is which.
struct flow_key {
	__u8 family, pad[3];
	__be16 port[2];
	__u8 addr[2][16];
};

struct counts {
	__u64 rx_packets, rx_bytes, forwarded, handed_up;
	__u64 bypassed; // of forwarded: those of protected services, while the engine was gone
	__u64 drop_closed, drop_edited, drop_tags, drop_config;
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

// Sessions that the engine has edited: their two ends no longer count alike, so
// without the engine nothing of them may pass.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_edited SEC(".maps");

// What the frame is, as far as its fate depends on it.
enum kind {
	KIND_OTHER,   // nothing that a service could be in
	KIND_L4,      // src, dst, proto, l4 are known
	KIND_ADDRESS, // a fragment, or not walked to its end: src, dst are known
	KIND_TAGS,    // more tags than we walk: a host takes off any number of priority tags, so they could hide a session
};

struct view {
	__u8 family, proto;
	__u32 l4;       // offset of the TCP or UDP header
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

static __always_inline enum kind parse_ipv4(struct __sk_buff *skb, __u32 off, struct view *v)
{
	struct ipv4 h;

	if (bpf_skb_load_bytes(skb, off, &h, sizeof(h)) || h.ver_ihl >> 4 != 4 || (h.ver_ihl & 15) < 5)
		return KIND_OTHER;
	if (h.proto != PROTO_TCP && h.proto != PROTO_UDP)
		return KIND_OTHER;
	v->family = 4;
	v->proto = h.proto;
	v->l4 = off + (h.ver_ihl & 15) * 4;
	map_ipv4(v->src, h.src);
	map_ipv4(v->dst, h.dst);
	if (h.frag & bpf_htons(0x3fff)) // more fragments, or an offset
		return h.proto == PROTO_TCP ? KIND_ADDRESS : KIND_OTHER;
	return KIND_L4;
}

static __always_inline int is_extension(__u8 next)
{
	return next == EXT_HOPS || next == EXT_ROUTING || next == EXT_FRAGMENT || next == EXT_AUTH ||
	       next == EXT_OPTIONS || next == EXT_MOBILITY || next == EXT_HIP || next == EXT_SHIM6;
}

static __always_inline enum kind parse_ipv6(struct __sk_buff *skb, __u32 off, struct view *v)
{
	struct ipv6 h;
	__u8 ext[2], next;
	int i;

	if (bpf_skb_load_bytes(skb, off, &h, sizeof(h)) || (bpf_ntohl(h.ver) >> 28) != 6)
		return KIND_OTHER;
	v->family = 6;
	__builtin_memcpy(v->src, h.src, 16);
	__builtin_memcpy(v->dst, h.dst, 16);
	next = h.next;
	off += sizeof(h);
	for (i = 0; i < MAX_EXTENSIONS; i++) {
		if (next == PROTO_TCP || next == PROTO_UDP) {
			v->proto = next;
			v->l4 = off;
			return KIND_L4;
		}
		if (!is_extension(next))
			return KIND_OTHER;
		if (bpf_skb_load_bytes(skb, off, ext, 2))
			return KIND_ADDRESS;
		if (next == EXT_FRAGMENT) // the first fragment decides what all are: it names TCP or what leads there
			return ext[0] == PROTO_TCP || is_extension(ext[0]) ? KIND_ADDRESS : KIND_OTHER;
		off += next == EXT_AUTH ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		next = ext[0];
	}
	return KIND_ADDRESS;
}

static __always_inline enum kind parse(struct __sk_buff *skb, struct view *v)
{
	__be16 type;
	__u32 off = 12; // an outer tag is in the skb's metadata and leaves the inner type here
	int i, tags = skb->vlan_present ? 1 : 0;

	for (i = 0; i <= MAX_TAGS; i++) {
		if (bpf_skb_load_bytes(skb, off, &type, 2))
			return KIND_OTHER;
		off += 2;
		if (type == bpf_htons(ETH_IPV4))
			return parse_ipv4(skb, off, v);
		if (type == bpf_htons(ETH_IPV6))
			return parse_ipv6(skb, off, v);
		if (type != bpf_htons(ETH_VLAN) && type != bpf_htons(ETH_QINQ))
			return KIND_OTHER;
		if (++tags > MAX_TAGS)
			return KIND_TAGS;
		off += 2;
	}
	return KIND_TAGS;
}

static __always_inline struct policy *by_service(struct __sk_buff *skb, struct view *v)
{
	struct service_key k = { .prefixlen = 160, .family = v->family, .proto = v->proto };
	struct policy *p;

	if (bpf_skb_load_bytes(skb, v->l4, v->port, sizeof(v->port)))
		return 0;
	k.port = v->port[1];
	__builtin_memcpy(k.addr, v->dst, 16);
	p = bpf_map_lookup_elem(&wp_services, &k);
	if (p)
		return p;
	k.port = v->port[0];
	__builtin_memcpy(k.addr, v->src, 16);
	return bpf_map_lookup_elem(&wp_services, &k);
}

static __always_inline struct policy *by_address(struct view *v)
{
	struct address_key k = { .prefixlen = 160, .family = v->family };
	struct policy *p;

	__builtin_memcpy(k.addr, v->dst, 16);
	p = bpf_map_lookup_elem(&wp_addresses, &k);
	if (p)
		return p;
	__builtin_memcpy(k.addr, v->src, 16);
	return bpf_map_lookup_elem(&wp_addresses, &k);
}

static __always_inline void flow_of(struct view *v, int from, struct flow_key *k)
{
	__builtin_memset(k, 0, sizeof(*k));
	k->family = v->family;
	k->port[0] = from ? v->port[1] : v->port[0];
	k->port[1] = from ? v->port[0] : v->port[1];
	__builtin_memcpy(k->addr[0], from ? v->dst : v->src, 16);
	__builtin_memcpy(k->addr[1], from ? v->src : v->dst, 16);
}

// A SYN begins another session between the same ends.
static __always_inline int opens(struct __sk_buff *skb, struct view *v)
{
	__u8 flags;

	return v->proto == PROTO_TCP && !bpf_skb_load_bytes(skb, v->l4 + 13, &flags, 1) && (flags & 0x12) == 0x02;
}

static __always_inline int is_edited(struct view *v)
{
	struct flow_key k;

	flow_of(v, 0, &k);
	if (bpf_map_lookup_elem(&wp_edited, &k))
		return 1;
	flow_of(v, 1, &k);
	return bpf_map_lookup_elem(&wp_edited, &k) != 0;
}

static __always_inline void forget_edited(struct view *v)
{
	struct flow_key k;

	flow_of(v, 0, &k);
	bpf_map_delete_elem(&wp_edited, &k);
	flow_of(v, 1, &k);
	bpf_map_delete_elem(&wp_edited, &k);
}

static __always_inline int engine_alive(void)
{
	__u32 zero = 0;
	struct engine_state *e = bpf_map_lookup_elem(&wp_engine, &zero);
	__u64 beat;

	if (!e)
		return 0;
	beat = *(volatile __u64 *)&e->heartbeat;
	return beat && bpf_ktime_get_ns() - beat < STALE_NS;
}

static __always_inline __u32 wire_packets(struct __sk_buff *skb)
{
	__u32 size = skb->gso_size, segs = skb->gso_segs;

	if (!size)
		return 1;
	return segs ? segs : (skb->len + size - 1) / size;
}

SEC("tcx/ingress")
int wire(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex, index = 0, n = wire_packets(skb);
	struct ports_entry *port = bpf_map_lookup_elem(&wp_ports, &index);
	struct policy *p = 0;
	struct counts *c;
	struct view v = {};
	enum kind kind;

	if (port && port->ifindex != ifindex) {
		index = 1;
		port = bpf_map_lookup_elem(&wp_ports, &index);
	}
	c = bpf_map_lookup_elem(&wp_counts, &index);
	if (!port || !c)
		return DROP;
	c->rx_packets += n;
	c->rx_bytes += skb->len;
	if (port->ifindex != ifindex) {
		c->drop_config += n;
		return DROP;
	}
	kind = parse(skb, &v);
	switch (kind) {
	case KIND_L4:
		p = by_service(skb, &v);
		if (p && opens(skb, &v))
			forget_edited(&v);
		break;
	case KIND_ADDRESS:
		p = by_address(&v);
		break;
	case KIND_TAGS:
		c->drop_tags += n;
		return DROP;
	case KIND_OTHER:
		break;
	}
	if (p && engine_alive()) {
		c->handed_up += n;
		return bpf_redirect(port->tap, 0);
	}
	if (p && p->fail_closed) {
		c->drop_closed += n;
		return DROP;
	}
	if (p && kind == KIND_L4 && is_edited(&v)) {
		c->drop_edited += n;
		return DROP;
	}
	if (p)
		c->bypassed += n;
	c->forwarded += n;
	return bpf_redirect(port->peer, 0);
}

// No helper that wants a GPL program is used.
char __license[] SEC("license") = "Apache-2.0";
