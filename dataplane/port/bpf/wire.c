// SPDX-License-Identifier: Apache-2.0
//
// The program on both wire ports. It decides for every frame: on to the other
// port, up to the engine, or nowhere. It changes the numbers of sessions whose
// ends count differently after an edit, and takes a line out of a request where
// that is all there is to correct. How it is attached, and how it therefore
// gets at a frame's bytes, is frame.h's matter.

#include "follow.h"
#include "frame.h"
#include "heads.h"
#include "lane.h"
#include "maps.h"
#include "parse.h"
#include "past.h"
#include "strike.h"
#include "take.h"
#ifdef WIRE_XDP
#include "watch.h"
#endif

// The engine is given up when its heartbeat is older than this,
#define STALE_NS 400000000ULL
// unless its processor has stood still itself (its clock, of 25 ms, has not ticked
// so often since): a virtual machine whose host had no time for it. Even then it
// is after so long.
#define STALE_TICKS 14
#define STARVED_NS 2000000000ULL

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

// A SYN begins another session between the same ends; so does its answer, if the
// engine has seen the SYN and is gone.
static __always_inline int opens(frame *f, struct view *v)
{
	__u8 flags;

	return v->proto == PROTO_TCP && !frame_load(f, v->l4 + 13, &flags, 1) && flags & TCP_SYN;
}

// Says whether the processor of the engine has not run since its heartbeat for as
// long as would have shown it dead.
static __always_inline int stood_still(struct engine_state *e)
{
	__u64 cpu = *(volatile __u64 *)&e->cpu;
	__u32 i = cpu - 1;
	__u64 *t = cpu ? bpf_map_lookup_elem(&wp_ticks, &i) : 0;

	return t && *(volatile __u64 *)t - *(volatile __u64 *)&e->tick < STALE_TICKS;
}

// Returns the engine's state if it lives.
static __always_inline struct engine_state *engine_alive(void)
{
	__u32 zero = 0;
	struct engine_state *e = bpf_map_lookup_elem(&wp_engine, &zero);
	__u64 beat, age;

	if (!e)
		return 0;
	beat = *(volatile __u64 *)&e->heartbeat;
	if (!beat)
		return 0;
	age = bpf_ktime_get_ns() - beat;
	return age < STALE_NS || (age < STARVED_NS && stood_still(e)) ? e : 0;
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
	enum verdict out;
	enum kind kind;
	int action, lent = 0;

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
		out = follow(f, &v, &k, engine, p->below, index, c);
		if (out == LOST) {
			c->drop_shift += n;
			return DROP;
		}
		if (out != UP) {
			c->carried += n;
			c->translated += out == MOVED ? n : 0;
			c->forwarded += n;
			return to_peer(port);
		}
	}
	if (p && kind == KIND_L4 && v.proto == PROTO_TCP)
		slot = slot_of(&k);
	if (slot)
		lent = *(volatile __u32 *)&slot->lent;
	if (engine && !slot && kind == KIND_L4 && v.proto == PROTO_TCP && !p->below && leftover(&k)) {
		out = pass(f, &v, &k);
		if (out == LOST) {
			c->drop_edited += n;
			return DROP;
		}
		c->carried += n;
		c->forwarded += n;
		return to_peer(port);
	}
	if (engine) {
		if (slot && !lent && carry(f, &v, slot, engine, n)) {
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
	if (p && kind == KIND_L4 && v.proto == PROTO_TCP) {
		if (opens(f, &v)) {
			bpf_map_delete_elem(&wp_flows, &k);
			replace(&k, c);
			out = ON;
		} else if (slot && !lent) {
			out = translate(f, &v, slot) ? ON : LOST;
			if (out == ON)
				c->closed += outdate(&k);
		} else {
			out = pass(f, &v, &k);
			c->closed += out == CLOSED;
		}
		if (out == LOST) {
			c->drop_edited += n;
			__sync_fetch_and_add(&p->dropped, n);
			return DROP;
		}
	}
	if (p) {
		c->bypassed += n;
		__sync_fetch_and_add(&p->bypassed, n);
	}
	c->forwarded += n;
	return to_peer(port);
}

// No helper that wants a GPL program is used.
char __license[] SEC("license") = "Apache-2.0";
