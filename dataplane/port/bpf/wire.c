// SPDX-License-Identifier: Apache-2.0
//
// The program on both wire ports (tcx ingress). It decides for every frame:
// on to the other port, up to the engine, or nowhere. It changes no byte, but
// for the numbers of sessions whose ends count differently after an edit and
// whose segments the engine has asked it to carry. Headers are read with
// bpf_skb_load_bytes, which also reaches what is not in the linear part.

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
enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };
enum { EXT_HOPS = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AUTH = 51, EXT_OPTIONS = 60, EXT_MOBILITY = 135, EXT_HIP = 139, EXT_SHIM6 = 140 };

struct ports_entry {
	__u32 ifindex, peer, tap, pad;
};

// Written by the engine through mmap.
struct engine_state {
	__u64 heartbeat; // CLOCK_MONOTONIC, ns; 0: gone on purpose
	__u64 tx_packets[2], tx_bytes[2], tx_failed[2];
	__u64 handed;  // written here: frames handed up, both ports
	__u64 drained; // the engine has read what was handed up before handed had this value
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
	__u32 fail_closed, pad;
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
	__u32 state, pad;
};

struct counts {
	__u64 rx_packets, rx_bytes, forwarded, handed_up;
	__u64 bypassed; // of forwarded: those of protected services, while the engine was gone
	__u64 drop_closed, drop_edited, drop_tags, drop_config;
	__u64 carried; // of forwarded: those of protected sessions, on behalf of the engine
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

// What the frame is, as far as its fate depends on it.
enum kind {
	KIND_OTHER,   // nothing that a service could be in
	KIND_L4,      // src, dst, proto, l4 are known
	KIND_ADDRESS, // a fragment, or not walked to its end: src, dst are known
	KIND_QUOTE,   // an ICMP error about a TCP segment: src, dst are those of the segment
	KIND_TAGS,    // more tags than we walk: a host takes off any number of priority tags, so they could hide a session
};

struct view {
	__u8 family, proto;
	__u8 to_client; // set by by_service
	__u32 vlan;     // identifiers of the tags, 12 bits each
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
static __always_inline enum kind parse_error4(struct __sk_buff *skb, __u32 off, struct view *v)
{
	struct ipv4 h;
	__u8 type;

	if (bpf_skb_load_bytes(skb, off, &type, 1) || (type != 3 && type != 11 && type != 12))
		return KIND_OTHER;
	if (bpf_skb_load_bytes(skb, off + 8, &h, sizeof(h)) || h.ver_ihl >> 4 != 4 || h.proto != PROTO_TCP)
		return KIND_OTHER;
	v->family = 4;
	map_ipv4(v->src, h.src);
	map_ipv4(v->dst, h.dst);
	return KIND_QUOTE;
}

static __always_inline enum kind parse_ipv4(struct __sk_buff *skb, __u32 off, struct view *v)
{
	struct ipv4 h;

	if (bpf_skb_load_bytes(skb, off, &h, sizeof(h)) || h.ver_ihl >> 4 != 4 || (h.ver_ihl & 15) < 5)
		return KIND_OTHER;
	if (h.proto == PROTO_ICMP && !(h.frag & bpf_htons(0x3fff)))
		return parse_error4(skb, off + (h.ver_ihl & 15) * 4, v);
	if (h.proto != PROTO_TCP && h.proto != PROTO_UDP)
		return KIND_OTHER;
	v->family = 4;
	v->proto = h.proto;
	v->l4 = off + (h.ver_ihl & 15) * 4;
	v->end = off + bpf_ntohs(h.len);
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

// The same for ICMPv6 (RFC 4443), with packet too big. The engine walks the
// quoted extension headers.
static __always_inline enum kind parse_error6(struct __sk_buff *skb, __u32 off, struct view *v)
{
	struct ipv6 h;
	__u8 type;

	if (bpf_skb_load_bytes(skb, off, &type, 1) || type < 1 || type > 4)
		return KIND_OTHER;
	if (bpf_skb_load_bytes(skb, off + 8, &h, sizeof(h)) || (bpf_ntohl(h.ver) >> 28) != 6)
		return KIND_OTHER;
	if (h.next != PROTO_TCP && !is_extension(h.next))
		return KIND_OTHER;
	v->family = 6;
	__builtin_memcpy(v->src, h.src, 16);
	__builtin_memcpy(v->dst, h.dst, 16);
	return KIND_QUOTE;
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
	v->end = off + bpf_ntohs(h.len);
	for (i = 0; i < MAX_EXTENSIONS; i++) {
		if (next == PROTO_TCP || next == PROTO_UDP) {
			v->proto = next;
			v->l4 = off;
			return KIND_L4;
		}
		if (next == PROTO_ICMP6)
			return parse_error6(skb, off, v);
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
	__be16 type, tci;
	__u32 off = 12; // an outer tag is in the skb's metadata and leaves the inner type here
	int i, tags = 0;

	if (skb->vlan_present) {
		tags = 1;
		v->vlan = skb->vlan_tci & 0xfff;
	}

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
		if (bpf_skb_load_bytes(skb, off, &tci, 2))
			return KIND_OTHER;
		v->vlan = v->vlan << 12 | (bpf_ntohs(tci) & 0xfff);
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
	v->to_client = 1;
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

static __always_inline void flow_of(struct view *v, struct flow_key *k)
{
	__builtin_memset(k, 0, sizeof(*k));
	k->vlan = v->vlan;
	k->family = v->family;
	k->port[0] = v->to_client ? v->port[1] : v->port[0];
	k->port[1] = v->to_client ? v->port[0] : v->port[1];
	__builtin_memcpy(k->addr[0], v->to_client ? v->dst : v->src, 16);
	__builtin_memcpy(k->addr[1], v->to_client ? v->src : v->dst, 16);
}

static __always_inline struct flow_slot *slot_of(struct view *v, struct flow_key *k)
{
	__u32 *index;

	flow_of(v, k);
	index = bpf_map_lookup_elem(&wp_flows, k);
	return index ? bpf_map_lookup_elem(&wp_slots, index) : 0;
}

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
static __always_inline int shift_sack(struct __sk_buff *skb, __u32 off, __u32 n, __u32 delta, __s64 *diff)
{
	struct sack_block was, is;
	__u32 i;

	for (i = 0; i < 4; i++) {
		if (i >= n)
			break;
		if (bpf_skb_load_bytes(skb, off, &was, sizeof(was)))
			return -1;
		is.from = bpf_htonl(bpf_ntohl(was.from) + delta);
		is.to = bpf_htonl(bpf_ntohl(was.to) + delta);
		*diff = bpf_csum_diff((__be32 *)&was, sizeof(was), (__be32 *)&is, sizeof(is), *diff);
		if (bpf_skb_store_bytes(skb, off, &is, sizeof(is), 0))
			return -1;
		off += sizeof(is);
	}
	return 0;
}

// Finds the selective acknowledgement among the options (RFC 2018) in the two
// layouts that systems send: alone, or behind timestamps. Sets *off to the
// first block and returns their number; -1 if the options are laid out
// otherwise, so that there could be one elsewhere.
static __always_inline int find_sack(struct __sk_buff *skb, struct view *v, struct tcp *h, __u32 *off)
{
	__u8 o[16];
	__u32 len = (h->off >> 4) * 4, at = v->l4 + 20;

	if (len == 20)
		return 0;
	if (len < 24 || bpf_skb_load_bytes(skb, at, o, 4))
		return -1;
	if (o[0] == 1 && o[1] == 1 && o[2] == 8 && o[3] == 10) {
		if (len == 32)
			return 0;
		at += 12;
		if (len < 36 || bpf_skb_load_bytes(skb, at, o, 4))
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
static __always_inline int shift(struct __sk_buff *skb, struct view *v, struct tcp *h, __u32 dseq, __u32 dack)
{
	struct sack_block was = { h->seq, h->ack }, is = was;
	__u32 off = 0;
	__s64 diff = 0;
	int n = 0;

	if (!dseq && !dack)
		return 0;
	if (dack && h->flags & TCP_ACK) {
		n = find_sack(skb, v, h, &off);
		if (n < 0)
			return -1;
		is.to = bpf_htonl(bpf_ntohl(h->ack) + dack);
	}
	is.from = bpf_htonl(bpf_ntohl(h->seq) + dseq);
	if (n && shift_sack(skb, off, n, dack, &diff))
		return -1;
	diff = bpf_csum_diff((__be32 *)&was, sizeof(was), (__be32 *)&is, sizeof(is), diff);
	if (bpf_skb_store_bytes(skb, v->l4 + 4, &is, sizeof(is), 0))
		return -1;
	return bpf_l4_csum_replace(skb, v->l4 + 16, 0, diff, 0);
}

// Carries a segment for the engine, if the slot allows it. 1: it may go on.
static __always_inline int carry(struct __sk_buff *skb, struct view *v, struct flow_slot *s, struct engine_state *e, __u32 n)
{
	struct flow_dir *d = &s->dir[v->to_client & 1];
	__u32 flags = *(volatile __u32 *)&d->flags, head;
	struct tcp h;

	if (!(flags & FLOW_HASTE) && *(volatile __u64 *)&e->drained < *(volatile __u64 *)&d->mark)
		return 0;
	if (!(flags & FLOW_PASS) || v->proto != PROTO_TCP || bpf_skb_load_bytes(skb, v->l4, &h, sizeof(h)))
		return 0;
	if ((h.flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | TCP_URG)) != TCP_ACK)
		return 0;
	head = v->l4 + (h.off >> 4) * 4;
	if (h.off < 5 << 4 || v->end < head || v->end > skb->len)
		return 0;
	if (flags & FLOW_BOUNDED && v->end > head && (__s32)(bpf_ntohl(h.seq) + (v->end - head) - d->limit) > 0)
		return 0;
	if (shift(skb, v, &h, d->seq, d->ack))
		return 0;
	__sync_fetch_and_add(&d->packets, n);
	__sync_fetch_and_add(&d->bytes, skb->len);
	return 1;
}

// Carries a segment of a settled session while the engine is gone. 1: it may
// go on.
static __always_inline int translate(struct __sk_buff *skb, struct view *v, struct flow_slot *s)
{
	struct flow_dir *d = &s->dir[v->to_client & 1];
	struct tcp h;

	if (!(*(volatile __u32 *)&s->state & SETTLED) || bpf_skb_load_bytes(skb, v->l4, &h, sizeof(h)))
		return 0;
	return !shift(skb, v, &h, d->seq, d->ack);
}

// A SYN begins another session between the same ends.
static __always_inline int opens(struct __sk_buff *skb, struct view *v)
{
	__u8 flags;

	return v->proto == PROTO_TCP && !bpf_skb_load_bytes(skb, v->l4 + 13, &flags, 1) && (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

// Returns the engine's state if it lives.
static __always_inline struct engine_state *engine_alive(void)
{
	__u32 zero = 0;
	struct engine_state *e = bpf_map_lookup_elem(&wp_engine, &zero);
	__u64 beat;

	if (!e)
		return 0;
	beat = *(volatile __u64 *)&e->heartbeat;
	return beat && bpf_ktime_get_ns() - beat < STALE_NS ? e : 0;
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
	struct engine_state *engine;
	struct flow_slot *slot = 0;
	__u64 handed;
	struct policy *p = 0;
	struct flow_key k;
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
		if (p)
			slot = slot_of(&v, &k);
		break;
	case KIND_ADDRESS:
		p = by_address(&v);
		break;
	case KIND_QUOTE: // no policy applies: without the engine it goes on
		if (engine_alive())
			p = by_address(&v);
		break;
	case KIND_TAGS:
		c->drop_tags += n;
		return DROP;
	case KIND_OTHER:
		break;
	}
	engine = p ? engine_alive() : 0;
	if (engine) {
		if (slot && carry(skb, &v, slot, engine, n)) {
			c->carried += n;
			c->forwarded += n;
			return bpf_redirect(port->peer, 0);
		}
		c->handed_up += n;
		handed = __sync_fetch_and_add(&engine->handed, 1) + 1;
		if (slot)
			slot->dir[v.to_client & 1].mark = handed;
		return bpf_redirect(port->tap, 0);
	}
	if (p && p->fail_closed) {
		c->drop_closed += n;
		__sync_fetch_and_add(&p->dropped, n);
		return DROP;
	}
	if (slot && opens(skb, &v)) {
		bpf_map_delete_elem(&wp_flows, &k);
		slot = 0;
	}
	if (slot && !translate(skb, &v, slot)) {
		c->drop_edited += n;
		if (p)
			__sync_fetch_and_add(&p->dropped, n);
		return DROP;
	}
	if (p) {
		c->bypassed += n;
		__sync_fetch_and_add(&p->bypassed, n);
	}
	c->forwarded += n;
	return bpf_redirect(port->peer, 0);
}

// No helper that wants a GPL program is used.
char __license[] SEC("license") = "Apache-2.0";
