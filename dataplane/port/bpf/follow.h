// SPDX-License-Identifier: Apache-2.0
//
// Sessions that are followed here, so that what needs no engine stays below:
// handshakes, acknowledgements, ends, and messages whose head is simple
// (scan.h). A session in which anything else happens belongs to the engine from
// then on: all its frames go up until the engine gives it back.
//
//	state    frame                                  goes    session becomes
//	none     SYN, SYN+ACK                           on      opening (wp_openings)
//	opening  the client's acknowledgement of both   on      below
//	below    acknowledgement, RST, FIN in order     on      below; gone after both FINs, sooner or later
//	below    a simple message at its boundary       on      below
//	below    one with a line that a rule strikes    on      below, edited; without the line (strike.h)
//	below    the last message again, byte by byte   on      below
//	below    within a body                          on      below
//	below    anything else                          up      above
//	above    anything                               up      above
//	any      anything, without the engine           on      none; stale if it was edited
//	stale    anything                               up      above
//
// A session that the engine has edited comes here as soon as the edited bytes
// are sent. Its books are kept in the numbers of each stream's sender; on their
// way segments get those of the receiver (stream.delta). Until what the engine
// has sent is acknowledged (stream.edge), its sender's next bytes, and
// acknowledgements of less, are the engine's. Where the edit was made here, it is
// in the books: a line that was cut out of the last message. Then a repetition of
// that loses the same line again, and acknowledgements of what lies before it are
// counted as before.

#pragma once

#include "scan.h"

#define SESSIONS (1 << 20)
#define OPENINGS (1 << 15)

// What is done for the sessions of a service (policy.below).
enum { BELOW_FOLLOW = 1, BELOW_HTTP = 2 };

#define STRIKE_LINE 512 // a longer one goes up

enum { OPT_SCALE = 1, OPT_SACK = 2, OPT_STAMPS = 4, OPT_STAMPED = 8 };

// One end's part of a handshake.
struct hello {
	__u32 isn;
	__u32 stamp; // timestamp value
	__u16 mss;
	__u16 window;
	__u8 scale, options, seen, port; // OPT_...; index of the port that it came in on
};

struct opening {
	struct hello end[2]; // client, server
};

// What one end sends: 0 to the server, 1 to the client. Numbers are sequence
// numbers as that end counts.
struct stream {
	__u32 isn;
	__u32 next;   // where the next message begins
	__u32 top;    // behind the highest byte, or FIN, that was seen
	__u32 una;    // the receiver has acknowledged what is below
	__u32 from;   // where the last message begins
	__u32 size;   // bytes of it that sum is about; what follows up to next passes unseen. 0: there is none
	__u64 sum;
	__u32 stamp;  // the latest timestamp value
	__u16 window; // as last advertised by this end
	__u16 mss;
	__u32 delta;  // the receiver's number for a byte behind edge, less the sender's
	__u32 edge;   // what is below was the engine's to send
	__u8 scale, options, fin, edged; // edged: edge says something
	__u16 cut, cut_len; // of the last message, what was taken out of it here; cut_len 0: nothing
};

enum { SESSION_BELOW, SESSION_ABOVE, SESSION_STALE };
enum { SESSION_MIDSTREAM = 1, SESSION_RESET = 2, SESSION_EDITED = 4 };

struct session {
	struct bpf_spin_lock lock;
	__u8 state;
	__u8 pending; // a request is not answered in full
	__u8 flags;   // SESSION_...
	__u8 port;    // index of the port that the client is behind
	__u64 used;   // CLOCK_MONOTONIC_COARSE, ns
	__u64 mark;   // may be followed once engine_state.drained has this value
	struct stream dir[2];
};

// Sessions by their ends. One that is above is named here as long as the engine
// knows of it.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SESSIONS);
	__type(key, struct flow_key);
	__type(value, struct session);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_sessions SEC(".maps");

// Handshakes under way: of a flood the oldest give way, and no session does.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, OPENINGS);
	__type(key, struct flow_key);
	__type(value, struct opening);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_openings SEC(".maps");

enum verdict { UP, ON, MOVED, LOST, CLOSED }; // MOVED: on, with other numbers

// A TCP header with as much of its options as holds timestamps in the layout
// that all systems send.
struct segment {
	struct tcp h;
	__u8 options[12];
	__u32 head, n; // offset and length of the payload
	__u32 from;
};

static __always_inline int load_segment(frame *f, struct view *v, struct segment *g)
{
	if (frame_load(f, v->l4, &g->h, 32)) {
		__builtin_memset(g->options, 0, sizeof(g->options));
		if (frame_load(f, v->l4, &g->h, 20))
			return -1;
	}
	g->head = v->l4 + (g->h.off >> 4) * 4;
	if (g->h.off < 5 << 4 || v->end < g->head || v->end > frame_len(f))
		return -1;
	g->n = v->end - g->head;
	g->from = bpf_ntohl(g->h.seq);
	return 0;
}

static __always_inline __u32 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum & 0xffff;
}

// Adds up len loaded bytes, with seed. len <= LOOK.
__noinline __u32 sum_loaded(__u32 len, __u32 seed)
{
	struct scan *c = scratch();
	__u64 at, n;
	__s64 sum = seed;
	__u32 i;

	if (!c)
		return 0;
	for (i = 0; i < LOOK / 512; i++) {
		at = i * 512;
		if (at >= len)
			break;
		n = (len - at + 3) & ~3ULL;
		if (n > 512)
			n = 512;
		sum = bpf_csum_diff(0, 0, (__be32 *)&c->b[at], n, fold(sum));
	}
	return fold(sum);
}

// Whether the segment's checksum is right, or left for a NIC to fill in. Only
// what its receiver takes may change what is known of the session.
static __always_inline int sound(frame *f, struct view *v, struct segment *g)
{
	struct scan *c = scratch();
	__u32 len = v->end - v->l4, pseudo;
	__u64 at = len;

	// The first half of a mapped IPv4 address adds 0xffff, which is nought.
	pseudo = fold(bpf_csum_diff(0, 0, (__be32 *)v->src, 32, bpf_htons(PROTO_TCP)) + (__u64)bpf_htons(len & 0xffff) + bpf_htons(len >> 16));
	if (g->h.sum == pseudo || frame_checked(f))
		return 1;
	PLAIN(at);
	if (!c || at < 20 || at > LOOK)
		return 0;
	if (frame_load(f, v->l4, c->b, at))
		return 0;
	*(__u32 *)&c->b[at] = 0;
	return sum_loaded(at, pseudo) == 0xffff;
}

static __always_inline int stamped(struct segment *g)
{
	__u8 *o = g->options;

	return g->h.off >= 8 << 4 && o[0] == 1 && o[1] == 1 && o[2] == 8 && o[3] == 10;
}

static __always_inline __u32 stamp_of(struct segment *g) { return bpf_ntohl(*(__be32 *)(g->options + 4)); }

// One option of a SYN. The scratch's fresh holds the hello.
static long option(__u32 turn __attribute__((unused)), void *ctx __attribute__((unused)))
{
	struct scan *s = scratch();
	struct hello *o;
	__u32 at, kind, len;

	if (!s)
		return 1;
	o = (struct hello *)s->fresh;
	at = s->at;
	if (at >= 40 || at >= s->size)
		return 1;
	kind = s->b[at];
	if (kind == 0)
		return 1;
	if (kind == 1) {
		s->at = at + 1;
		return 0;
	}
	len = s->b[at + 1];
	if (len < 2 || at + len > s->size)
		return 1;
	s->at = at + len;
	if (kind == 2 && len == 4) {
		o->mss = s->b[at + 2] << 8 | s->b[at + 3];
	} else if (kind == 3 && len == 3) {
		o->scale = s->b[at + 2] > 14 ? 14 : s->b[at + 2];
		o->options |= OPT_SCALE;
	} else if (kind == 4 && len == 2) {
		o->options |= OPT_SACK;
	} else if (kind == 8 && len == 10) {
		o->options |= OPT_STAMPS | OPT_STAMPED;
		o->stamp = s->b[at + 2] << 24 | s->b[at + 3] << 16 | s->b[at + 4] << 8 | s->b[at + 5];
	}
	return 0;
}

// Reads the n bytes of options in the scratch.
__noinline int read_options(__u32 n)
{
	struct scan *s = scratch();

	if (!s)
		return -1;
	__builtin_memset(s->fresh, 0, sizeof(struct opening));
	s->at = 0;
	s->size = n;
	bpf_loop(40, option, 0, 0);
	return 0;
}

// Reads what a SYN says into the scratch.
static __always_inline struct hello *read_hello(frame *f, struct view *v, struct segment *g, __u32 port)
{
	struct scan *s = scratch();
	struct hello *o;
	__u32 n = (g->h.off >> 4) * 4 - 20;

	if (!s || n > 40)
		return 0;
	o = (struct hello *)s->fresh;
	if (n >= 1 && frame_load(f, v->l4 + 20, s->b, n))
		return 0;
	if (read_options(n))
		return 0;
	o->isn = g->from;
	o->window = bpf_ntohs(g->h.window);
	o->seen = 1;
	o->port = port;
	return o;
}

static __always_inline void first(struct stream *d, struct hello *o, __u32 scaled)
{
	d->isn = o->isn;
	d->next = d->top = d->una = o->isn + 1;
	d->stamp = o->stamp;
	d->mss = o->mss;
	d->options = o->options;
	d->scale = scaled ? o->scale : 0;
	d->window = o->window >> d->scale; // a SYN's window is not scaled, those that follow are
}

// Makes a session of a handshake that both ends have been heard in.
static __always_inline int establish(struct flow_key *k, struct opening *o)
{
	struct scan *c = scratch();
	struct session *s;
	__u32 scaled;

	if (!c)
		return -1;
	s = (struct session *)c->fresh;
	__builtin_memset(s, 0, sizeof(*s));
	s->port = o->end[0].port;
	s->used = bpf_ktime_get_coarse_ns();
	scaled = o->end[0].options & o->end[1].options & OPT_SCALE;
	first(&s->dir[0], &o->end[0], scaled);
	first(&s->dir[1], &o->end[1], scaled);
	return bpf_map_update_elem(&wp_sessions, k, s, BPF_NOEXIST);
}

// A segment of a session that is not known. It goes on when it begins one, or
// carries nothing. *made: it has completed a handshake, and there is a session.
static __always_inline enum verdict greet(frame *f, struct view *v, struct flow_key *k, struct segment *g, __u32 port, int *made)
{
	__u32 flags = g->h.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN | TCP_URG), zero = 0;
	struct vetting *t = bpf_map_lookup_elem(&wp_vetting, &zero);
	struct opening *o;
	struct hello *heard;

	*made = 0;
	o = bpf_map_lookup_elem(&wp_openings, k);
	if (flags == TCP_SYN && !v->to_client && !g->n) {
		heard = read_hello(f, v, g, port); // the other end's part behind it is empty
		if (!heard)
			return UP;
		if (o && o->end[0].isn == g->from && o->end[0].port == port) {
			o->end[0] = *heard; // once more, at another time; it may have been overtaken by its answer
			return ON;
		}
		return bpf_map_update_elem(&wp_openings, k, heard, BPF_ANY) ? UP : ON;
	}
	if (!o) // a FIN must not overtake bytes that are yet to be corrected
		return t && !t->unmarked && !g->n && !(flags & (TCP_SYN | TCP_FIN | TCP_URG)) ? ON : UP;
	if (flags == (TCP_SYN | TCP_ACK) && v->to_client && !g->n && port != o->end[0].port) {
		if (bpf_ntohl(g->h.ack) != o->end[0].isn + 1)
			return UP;
		if (o->end[1].seen && o->end[1].isn != g->from)
			return UP;
		heard = read_hello(f, v, g, port);
		if (!heard)
			return UP;
		o->end[1] = *heard;
		return ON;
	}
	if (flags & TCP_RST && !(flags & (TCP_SYN | TCP_URG)) && !g->n)
		return ON; // no session comes of it, or it is a false one
	if (flags != TCP_ACK || v->to_client || !o->end[1].seen || port != o->end[0].port)
		return UP;
	if (g->from != o->end[0].isn + 1 || bpf_ntohl(g->h.ack) != o->end[1].isn + 1)
		return UP;
	if (establish(k, o))
		return UP;
	bpf_map_delete_elem(&wp_openings, k);
	*made = 1;
	return ON;
}

// What a segment's payload is, as far as can be told without the lock.
enum content { NOTHING, BODY, AGAIN, REQUEST, RESPONSE, UNCLEAR };

struct head;

struct finding {
	enum content is;
	__u32 size; // summed bytes
	__u32 body; // of a response: bytes behind them
	__u64 sum;
	__u32 cut, cut_len; // what is to be taken out of it
	int may_shrink, first; // it is the session's first edit
	int sack;         // as of find_sack
	int acks;         // what it acknowledges counts
	__u32 dseq, dack; // to be added to the segment's numbers
};

// It lies beside the stack, which has no room.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct finding);
} wp_finding SEC(".maps");

static __always_inline struct head *keep_head(frame *f, struct flow_key *k, __u32 off, __u32 n);
static __always_inline void settle_head(struct head *p);
static __always_inline int may_strike(frame *f, struct view *v);
static __always_inline void tell_strike(frame *f, struct flow_key *k, struct segment *g, struct finding *d);
__noinline int struck_line(__u32 n);
__noinline int strike(frame *f, struct view *v, __u32 head, __u32 n);

static __always_inline void look_at(frame *f, struct view *v, struct flow_key *k, struct segment *g, struct session *s, __u32 below, struct finding *d, struct head **kept)
{
	struct stream *h = &s->dir[v->to_client & 1];
	struct scan *c = scratch();
	__u32 zero = 0, n, size = h->size;
	struct vetting *t = bpf_map_lookup_elem(&wp_vetting, &zero);

	d->is = UNCLEAR;
	if (!c || !t || !(below & BELOW_HTTP))
		return;
	if (h->size && (__s32)(g->from - (h->from + h->size)) >= 0 && (__s32)(g->from + g->n - h->next) <= 0) {
		d->is = BODY;
		return;
	}
	n = load_payload(f, c, g->head, g->n);
	if (!n)
		return;
	if (g->from == h->from && size && n >= size) {
		d->is = AGAIN;
		d->size = size;
		d->may_shrink = n == g->n && frame_packets(f) == 1 && may_strike(f, v);
		sum_up(size);
		d->sum = c->sum;
		return;
	}
	if (g->from != h->next || h->fin)
		return;
	if (!v->to_client) {
		if (!(t->flags & VET_REQUESTS) || s->pending || n != g->n || frame_packets(f) != 1 || !simple_request(n, t->active))
			return;
		if (c->struck) {
			if (!may_strike(f, v) || !struck_line(n))
				return;
			d->cut = c->cut;
			d->cut_len = c->cut_len;
			if (d->cut_len > STRIKE_LINE)
				return;
		}
		if (t->flags & VET_KEEP || d->cut_len) {
			*kept = keep_head(f, k, g->head, n);
			if (!*kept)
				return;
		}
		d->is = REQUEST;
		d->size = n;
		d->body = 0;
	} else {
		if (!(t->flags & VET_RESPONSES) || !s->pending || !simple_response(n, t->active))
			return;
		d->size = c->head;
		d->body = c->value;
		// The receiver could have a part of the head, and what is then sent again
		// of it could not be compared with anything.
		if (frame_piece(f) && d->size > frame_piece(f))
			return;
		if (g->n > d->size + d->body)
			return;
		d->is = RESPONSE;
	}
	sum_up(d->size);
	d->sum = c->sum;
}

// Whether the receiver has all that the engine has sent.
static __always_inline int settled(struct stream *h) { return !h->edged || (__s32)(h->una - h->edge) >= 0; }

// Takes the segment into the session's books. The lock is held. ON: it goes on.
static __always_inline enum verdict commit(struct session *s, __u32 to_client, struct segment *g, struct finding *d)
{
	struct stream *h = &s->dir[to_client & 1], *r = &s->dir[(to_client & 1) ^ 1];
	__u32 end = g->from + g->n, ack = bpf_ntohl(g->h.ack) - r->delta, fin = g->h.flags & TCP_FIN;

	d->dseq = h->delta;
	d->dack = -r->delta;
	if (s->state != SESSION_BELOW || (__s32)(ack - r->top) > 0)
		return UP;
	if (r->cut_len && (__s32)(ack - r->edge) < 0) {
		ack -= r->cut_len;
		d->dack -= r->cut_len;
		if (d->sack || (__s32)(ack - r->from) > 0)
			return UP;
	} else if (!settled(r) && (__s32)(ack - r->edge) < 0) {
		return UP;
	}
	if (h->edged && (__s32)(g->from - h->edge) < 0) {
		if (!h->cut_len || fin || (d->is != AGAIN && (g->n || (__s32)(g->from - h->from) > 0)))
			return UP;
		d->dseq += h->cut_len;
	} else if (h->edged && (g->n || fin) && !settled(h)) {
		return UP;
	}
	switch (d->is) {
	case NOTHING:
		if ((__s32)(g->from - h->top) > 0 || h->top - g->from > 1 << 24)
			return UP;
		break;
	case BODY:
		if (!h->size || (__s32)(g->from - (h->from + h->size)) < 0 || (__s32)(end - h->next) > 0)
			return UP;
		break;
	case AGAIN:
		if (g->from != h->from || d->size != h->size || d->sum != h->sum || (__s32)(end - h->next) > 0)
			return UP;
		if (h->cut_len && !d->may_shrink)
			return UP;
		d->cut = h->cut;
		d->cut_len = h->cut_len;
		break;
	case REQUEST:
		if (g->from != h->next || h->top != h->next || h->una != h->next || h->fin || s->pending)
			return UP;
		goto message;
	case RESPONSE:
		if (g->from != h->next || h->top != h->next || h->una != h->next || h->fin || !s->pending)
			return UP;
	message:
		// The sender knows of a wider window than there is where the engine has added
		// to its stream. The receiver would take a part, and the rest that is then sent
		// again could not be compared with anything.
		if (h->edged && d->size > (__u32)r->window << (r->scale & 15))
			return UP;
		s->pending = 1;
		h->from = g->from;
		h->size = d->size;
		h->sum = d->sum;
		h->next = g->from + d->size + d->body;
		h->cut = d->cut;
		h->cut_len = d->cut_len;
		if (d->cut_len) {
			d->first = !(s->flags & SESSION_EDITED);
			h->delta -= d->cut_len;
			h->edge = h->next;
			h->edged = 1;
			s->flags |= SESSION_EDITED;
		}
		break;
	default:
		return UP;
	}
	if (fin) {
		if (end != h->next)
			return UP;
		if (!h->fin && (__s32)(h->top - end) > 0)
			return UP;
	}
	if (g->n && (__s32)(end - h->top) > 0) {
		h->top = end;
		if (to_client && h->top == h->next)
			s->pending = 0;
	}
	if (fin && !h->fin) {
		h->fin = 1;
		h->top = end + 1;
	}
	if ((__s32)(ack - r->una) >= 0) {
		r->una = ack;
		h->window = bpf_ntohs(g->h.window);
		if (r->edged && (__s32)(ack - r->edge) > 1 << 30) { // far behind, and not to be taken for being ahead
			r->edge = ack - (1 << 30);
			r->cut_len = 0;
		}
	}
	s->flags &= ~SESSION_RESET;
	return ON;
}

// What a segment acknowledges of a request that was corrected here its receiver
// has, also when the segment goes up and is lost with the engine.
static __always_inline void credit(struct session *s, __u32 to_client, struct segment *g)
{
	struct stream *r = &s->dir[(to_client & 1) ^ 1];
	__u32 ack = bpf_ntohl(g->h.ack) - r->delta;

	if (r->cut_len && (__s32)(ack - r->edge) >= 0 && (__s32)(ack - r->top) <= 0 && (__s32)(ack - r->una) > 0)
		r->una = ack;
}

// Has the scratch say what is to be taken out.
static __always_inline int put_cut(struct finding *d)
{
	struct scan *c = scratch();

	if (!c)
		return -1;
	c->cut = d->cut;
	c->cut_len = d->cut_len;
	return 0;
}

// Follows a segment of a protected service. UP: it is the engine's to handle.
static __always_inline enum verdict follow(frame *f, struct view *v, struct flow_key *k, struct engine_state *e, __u32 below, __u32 port, struct counts *c)
{
	struct session *s;
	struct segment g;
	struct finding *d;
	struct head *kept = 0;
	__u32 zero = 0;
	enum verdict out = UP;
	__u64 now;
	int made, over = 0;

	s = bpf_map_lookup_elem(&wp_sessions, k);
	if (s && (*(volatile __u8 *)&s->state != SESSION_BELOW))
		return UP;
	d = bpf_map_lookup_elem(&wp_finding, &zero);
	if (!d)
		return UP;
	__builtin_memset(d, 0, sizeof(*d));
	if (load_segment(f, v, &g))
		goto up;
	if (!sound(f, v, &g))
		return UP; // the engine discards it, if it can tell
	if (!s) {
		if (bpf_map_lookup_elem(&wp_flows, k))
			return UP; // an earlier engine left it
		out = greet(f, v, k, &g, port, &made);
		if (!made)
			return out;
		c->opened++;
		out = UP;
		s = bpf_map_lookup_elem(&wp_sessions, k);
		if (!s)
			return UP;
	}
	if (*(volatile __u64 *)&e->drained < s->mark || (port == s->port) == (v->to_client & 1))
		goto up;
	if (!(g.h.flags & TCP_ACK) && !(g.h.flags & TCP_RST))
		goto up;
	if (g.h.flags & (TCP_SYN | TCP_URG))
		goto up;
	if (g.h.flags & TCP_RST) {
		struct stream *h = &s->dir[v->to_client & 1];

		if (g.n || h->edged || s->dir[(v->to_client & 1) ^ 1].edged)
			goto up;
		if (g.from == h->top || g.from == h->next)
			s->flags |= SESSION_RESET;
		return ON;
	}
	d->acks = 1;
	if (s->flags & SESSION_EDITED) {
		struct stream *r = &s->dir[(v->to_client & 1) ^ 1];

		d->sack = find_sack(f, v->l4);
		if (d->sack < 0 || (d->sack && !sack_behind(f, d->sack, r->edge + r->delta)))
			goto up;
	}
	if (s->dir[v->to_client & 1].options & OPT_STAMPS && !stamped(&g))
		goto up;
	if (g.n) {
		look_at(f, v, k, &g, s, below, d, &kept);
		if (d->is == UNCLEAR)
			goto up;
	}
	now = bpf_ktime_get_coarse_ns();
	bpf_spin_lock(&s->lock);
	out = commit(s, v->to_client & 1, &g, d);
	if (out == ON) {
		struct stream *h = &s->dir[v->to_client & 1], *r = &s->dir[(v->to_client & 1) ^ 1];

		s->used = now;
		if (stamped(&g) && (__s32)(stamp_of(&g) - h->stamp) > 0)
			h->stamp = stamp_of(&g);
		over = h->fin && r->fin && h->una == h->top && r->una == r->top;
		if (over && s->flags & SESSION_EDITED) { // what its ends still repeat needs translation, too
			s->flags |= SESSION_RESET;
			over = 0;
		}
	}
	bpf_spin_unlock(&s->lock);
	if (kept)
		settle_head(kept);
	if (out == UP)
		goto up;
	if (over && !bpf_map_delete_elem(&wp_sessions, k))
		c->closed++;
	if (out != ON || (!d->dseq && !d->dack && !d->cut_len))
		return out;
	// What is lost here its sender sends again.
	if (d->cut_len) {
		if (d->is == REQUEST) {
			c->struck++;
			tell_strike(f, k, &g, d);
		}
		if (put_cut(d) || strike(f, v, g.head, g.n))
			return LOST;
	}
	return shift(f, v->l4, d->sack, d->dseq, d->dack) ? LOST : MOVED;
up:
	if (s) {
		bpf_spin_lock(&s->lock);
		if (d->acks)
			credit(s, v->to_client, &g);
		s->state = SESSION_ABOVE;
		bpf_spin_unlock(&s->lock);
	}
	return UP;
}
