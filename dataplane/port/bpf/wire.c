// SPDX-License-Identifier: Apache-2.0
//
// The program on both wire ports. It decides for every frame: on to the other
// port, up to the engine, or nowhere. It changes no byte, but for the numbers
// of sessions whose ends count differently after an edit and whose segments
// the engine has asked it to carry. How it is attached, and how it therefore
// gets at a frame's bytes, is frame.h's matter.

#include "follow.h"
#include "frame.h"
#include "heads.h"
#include "lane.h"
#include "maps.h"
#include "parse.h"
#include "take.h"
#ifdef WIRE_XDP
#include "watch.h"
#endif

// The engine is given up when its heartbeat is older than this.
#define STALE_NS 400000000ULL

static __always_inline struct policy *by_service(frame *f, struct view *v)
{
	struct service_key k = { .prefixlen = 160, .family = v->family, .proto = v->proto };
	struct policy *p;

	if (frame_load(f, v->l4, v->port, sizeof(v->port)))
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
	struct address_key k = { .prefixlen = 160, .family = v->family, .proto = v->proto };
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

static __always_inline struct flow_slot *slot_of(struct flow_key *k)
{
	__u32 *index = bpf_map_lookup_elem(&wp_flows, k);

	return index ? bpf_map_lookup_elem(&wp_slots, index) : 0;
}

// A SYN begins another session between the same ends.
static __always_inline int opens(frame *f, struct view *v)
{
	__u8 flags;

	return v->proto == PROTO_TCP && !frame_load(f, v->l4 + 13, &flags, 1) && (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
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

ATTACHED
int wire(frame *f)
{
	__u32 ifindex = frame_port(f), index = 0, n = frame_packets(f);
	struct ports_entry *port = bpf_map_lookup_elem(&wp_ports, &index);
	struct engine_state *engine;
	struct flow_slot *slot = 0;
	__u64 handed;
	struct policy *p = 0;
	struct flow_key k;
	struct counts *c;
	struct view v = {};
	enum kind kind;
	int action;

	if (port && port->ifindex != ifindex) {
		index = 1;
		port = bpf_map_lookup_elem(&wp_ports, &index);
	}
	c = bpf_map_lookup_elem(&wp_counts, &index);
	if (!port || !c)
		return DROP;
	c->rx_packets += n;
	c->rx_bytes += frame_len(f);
	if (port->ifindex != ifindex) {
		c->drop_config += n;
		return DROP;
	}
	kind = parse(f, &v);
#ifdef WIRE_XDP
	if (kind == KIND_L4 && index == 1)
		watch_frame(f, &v);
#endif
	switch (kind) {
	case KIND_L4:
		p = by_service(f, &v);
		if (p && v.proto == PROTO_TCP) // a session's key does not name the protocol
			flow_of(&v, &k);
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
	if (engine && kind == KIND_L4 && v.proto == PROTO_TCP && p->below) {
		if (follow(f, &v, &k, engine, p->below, index, c) == ON) {
			c->carried += n;
			c->forwarded += n;
			return to_peer(port);
		}
	}
	if (p && kind == KIND_L4 && v.proto == PROTO_TCP)
		slot = slot_of(&k);
	if (engine) {
		if (slot && carry(f, &v, slot, engine, n)) {
			c->carried += n;
			c->forwarded += n;
			return to_peer(port);
		}
		action = to_engine(f, port);
		if (action != NOBODY) {
			c->handed_up += n;
			handed = __sync_fetch_and_add(&engine->handed, 1) + 1;
			if (slot)
				slot->dir[v.to_client & 1].mark = handed;
			return action;
		}
	}
	if (p && p->fail_closed) {
		c->drop_closed += n;
		__sync_fetch_and_add(&p->dropped, n);
		return DROP;
	}
	if (slot && opens(f, &v)) {
		bpf_map_delete_elem(&wp_flows, &k);
		slot = 0;
	}
	if (slot && !translate(f, &v, slot)) {
		c->drop_edited += n;
		if (p)
			__sync_fetch_and_add(&p->dropped, n);
		return DROP;
	}
	if (p && kind == KIND_L4 && v.proto == PROTO_TCP)
		lose(&k, c);
	if (p) {
		c->bypassed += n;
		__sync_fetch_and_add(&p->bypassed, n);
	}
	c->forwarded += n;
	return to_peer(port);
}

// No helper that wants a GPL program is used.
char __license[] SEC("license") = "Apache-2.0";
