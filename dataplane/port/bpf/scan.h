// SPDX-License-Identifier: Apache-2.0
//
// The look at a message's head. What passes here is a subset of what the
// engine's decoder reads as one message and releases unchanged: a form without
// anything unusual, and without any of the texts that rules look for. Whatever
// is in doubt is the engine's to judge. The Go side proves the subset by
// comparing both on hostile input (vet_test.go).

#pragma once

#include "frame.h"
#include "lane.h"

// Bytes of a message that are looked at, and how far the buffer goes on behind
// them so that steps may overrun.
#define LOOK 2048
#define SLACK 64
#define STEP 16
#define WORDS 16 // four-byte words summed in a turn

// What a byte is: the lower half of its entry in vetting.bytes. The upper half
// is the byte in lower case.
enum {
	BYTE_BAD = 1,   // in no simple head
	BYTE_TOKEN = 2, // may be in a field's name
	BYTE_CR = 4,
	BYTE_LF = 8,
	BYTE_COLON = 16,
	BYTE_SPACE = 32,
};

// The texts that rules look for in one direction, each by one run of its bytes
// in lower case: eight, four, or two of them.
struct needles {
	__u64 eight[1 << 16]; // bits by two hashes
	__u64 four[1 << 14];  // the same
	__u64 two[1 << 8];    // a bit for each pair of seven-bit bytes
	__u64 ends[1 << 8];   // the pairs that any of all these ends with: small, and seldom hit
};

// Fields of requests that one rule takes away, whatever their value: each lies
// where the hash of its name says.
#define STRIKES 64
#define STRIKE_NAME 40

struct strike {
	__u64 hash; // NAME_HASH
	__u32 len;  // of the name, in lower case; 0: there is none here
	__u32 pad;
	__u8 name[STRIKE_NAME];
};

enum { VET_REQUESTS = 1, VET_RESPONSES = 2, VET_KEEP = 4 };

// Written by the engine through mmap.
struct vetting {
	__u32 flags;     // VET_...
	__u32 active;    // 0, 1: which pair of needles holds
	__u32 unmarked;  // the engine has sessions that wp_sessions does not name
	__u16 longest[2]; // heads of so many bytes go up, 0: none for that
	__u16 bytes[256]; // BYTE_...
	__u64 keys[LOOK / 4 + 1];
	struct strike strikes[2][STRIKES]; // as needles, one in force and one to be written
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vetting);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_vetting SEC(".maps");

// Two pairs, one in force and one to be written; of each the needles of
// requests, then of responses.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct needles);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_needles SEC(".maps");

// What is known of the head under way. Truths are 0 or 1.
struct scan {
	__u64 at;      // looked at so far
	__u64 runs;    // the last eight bytes, in lower case
	__u64 name;    // hash of the field name under way
	__u64 was;     // what the last byte is
	__u64 in_name; // within a field's name
	__u64 open;    // the head's end was not seen
	__u64 head;    // its length
	__u64 bad;     // not of the simple form, or a needle was found
	__u64 sum;
	__u32 size;      // bytes to look at
	__u32 lengths;   // fields that give the body's length
	__u32 length;    // where the value of the last one begins
	__u32 needles;   // index in wp_needles
	__u32 to_client;
	__u32 digits, value;
	__u32 struck; // fields that a strike takes away
	__u32 strike, colon; // the last one's place in vetting.strikes, and where its name ends
	__u32 cut, cut_len; // bytes to take out
	__u32 pad;
	__u8 fresh[256]; // room for a struct session, or a struct opening
	__u8 b[2 * LOOK + SLACK] __attribute__((aligned(8))); // of the latter half nothing is used but by bounds
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scan);
} wp_scan SEC(".maps");

// Keeps the compiler from working a value out in another way than the one whose
// bounds the verifier has seen.
#define PLAIN(x) asm volatile("" : "+r"(x))

static __always_inline struct scan *scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wp_scan, &zero);
}

#define HTTP_1_1 0x312e312f50545448ULL // as eight bytes

#define NAME_HASH(h, c) (((h) + (c) + 1) * 0x9e3779b97f4a7c15ULL)

// Hashes of the names that end the simple form. A name that collides with one
// of them does, too.
#define NAME_EXPECT NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(0ULL, 'e'), 'x'), 'p'), 'e'), 'c'), 't')
#define NAME_UPGRADE NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(0ULL, 'u'), 'p'), 'g'), 'r'), 'a'), 'd'), 'e')
#define NAME_CONTENT_LENGTH NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(0ULL, 'c'), 'o'), 'n'), 't'), 'e'), 'n'), 't'), '-'), 'l'), 'e'), 'n'), 'g'), 't'), 'h')
#define NAME_TRANSFER_ENCODING NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(NAME_HASH(0ULL, 't'), 'r'), 'a'), 'n'), 's'), 'f'), 'e'), 'r'), '-'), 'e'), 'n'), 'c'), 'o'), 'd'), 'i'), 'n'), 'g')

// Takes note of a field by its name's hash; the colon is at at. Not 0: a head
// with such a field is not simple.
static __always_inline __u64 named(struct scan *s, struct vetting *t, __u64 name, __u64 at)
{
	struct strike *k = &t->strikes[s->needles >> 1 & 1][name >> 58];

	if (!s->to_client && k->len && k->hash == name) {
		s->struck++;
		s->strike = name >> 58;
		s->colon = at;
	}
	if (name == NAME_TRANSFER_ENCODING || name == NAME_UPGRADE)
		return 1;
	if (name == NAME_CONTENT_LENGTH) {
		s->lengths++;
		s->length = at + 1;
	}
	return !s->to_client && (name == NAME_CONTENT_LENGTH || name == NAME_EXPECT);
}

static __always_inline __u64 bit(const __u64 *set, __u64 i) { return (set[i >> 6] >> (i & 63)) & 1; }

#define EIGHT_1(r) (((r) * 0x9e3779b97f4a7c15ULL) >> 42)
#define EIGHT_2(r) (((r) * 0xc2b2ae3d27d4eb4fULL) >> 42)
#define FOUR_1(r) ((((r) & 0xffffffff) * 0x9e3779b97f4a7c15ULL) >> 44)
#define FOUR_2(r) ((((r) & 0xffffffff) * 0xc2b2ae3d27d4eb4fULL) >> 44)
#define TWO(r) ((((r) >> 1) & 0x3f80) | ((r) & 0x7f))

// Whether a needle ends with these runs.
static __always_inline __u64 found(const struct needles *n, __u64 runs)
{
	return (bit(n->eight, EIGHT_1(runs)) & bit(n->eight, EIGHT_2(runs))) |
	       (bit(n->four, FOUR_1(runs)) & bit(n->four, FOUR_2(runs))) | bit(n->two, TWO(runs));
}

// One turn of simple_head. It computes what it can without branches: the
// verifier would walk every way through them on its own.
static long look(__u32 turn __attribute__((unused)), void *ctx __attribute__((unused)))
{
	struct scan *s = scratch();
	__u32 zero = 0, i;
	struct vetting *t = bpf_map_lookup_elem(&wp_vetting, &zero);
	struct needles *n;
	__u64 at, size, runs, name, was, in_name, open, head, bad;

	if (!s || !t)
		return 1;
	n = bpf_map_lookup_elem(&wp_needles, &s->needles);
	if (!n)
		return 1;
	at = s->at;
	size = s->size;
	PLAIN(at);
	if (at >= size)
		return 1;
	if (at > LOOK - STEP)
		return 1;
	runs = s->runs, name = s->name, was = s->was, in_name = s->in_name;
	open = s->open, head = s->head, bad = s->bad;
#pragma clang loop unroll(disable)
	for (i = 0; i < STEP; i++) {
		__u64 entry = t->bytes[s->b[at + i]], is = entry & 0xff, low = entry >> 8;
		__u64 lf = is >> 3 & 1, cr = is >> 2 & 1, colon = is >> 4 & 1, after_lf = was >> 3 & 1;
		__u64 live = (at + i - size) >> 63 & open, empty = after_lf & cr, ends, end;

		in_name |= after_lf;
		ends = in_name & colon;
		bad |= live & (is | (was >> 2 ^ lf) | (in_name & (is >> 1 ^ 1) & (colon ^ 1) & (empty ^ 1)) | (ends & after_lf));
		name &= after_lf - 1;
		if (ends & live)
			bad |= named(s, t, name, at + i);
		in_name &= (ends | empty) ^ 1;
		name = NAME_HASH(name, low);
		runs = runs << 8 | low;
		if (bit(n->ends, TWO(runs)) & live)
			bad |= found(n, runs);
		end = (((runs & 0xffffffff) ^ 0x0d0a0d0a) - 1) >> 63 & live;
		head |= (at + i + 1) & -end;
		open &= end ^ 1;
		was = is;
	}
	s->at = at + STEP;
	s->runs = runs, s->name = name, s->was = was, s->in_name = in_name;
	s->open = open, s->head = head, s->bad = bad;
	return bad & 1 || !open;
}

// Adds up the bytes with secret factors, so that nobody can make two messages
// of one sum.
static long add(__u32 turn, void *ctx __attribute__((unused)))
{
	struct scan *s = scratch();
	__u32 zero = 0, i, size;
	__u64 at = (__u64)turn * WORDS;
	struct vetting *t = bpf_map_lookup_elem(&wp_vetting, &zero);
	__u64 sum;

	if (!s || !t)
		return 1;
	PLAIN(at);
	if (at > LOOK / 4 - WORDS)
		return 1;
	size = s->size;
	sum = s->sum;
#pragma clang loop unroll(full)
	for (i = 0; i < WORDS; i++) {
		__u32 w = ((__u32 *)s->b)[at + i], have = size - (at + i) * 4; // wraps behind the end

		if ((at + i) * 4 >= size)
			w = 0;
		else if (have < 4)
			w &= (1U << (have * 8)) - 1;
		sum += (__u64)w * t->keys[at + i + 1];
	}
	s->sum = sum;
	return (at + WORDS) * 4 >= size;
}

// Functions that are not static are verified once, whatever the ways that lead
// to them.

// Leaves in the scratch's sum the keyed sum of the first size bytes loaded.
__noinline int sum_up(__u32 size)
{
	struct scan *s = scratch();
	__u32 zero = 0;
	struct vetting *t = bpf_map_lookup_elem(&wp_vetting, &zero);

	if (!s || !t)
		return -1;
	s->size = size;
	s->sum = size * t->keys[0];
	bpf_loop(LOOK / 4 / WORDS, add, 0, 0);
	return 0;
}

// Loads up to LOOK bytes of a payload. Returns how many.
static __always_inline __u32 load_payload(frame *f, struct scan *s, __u32 off, __u32 n)
{
	if (n > LOOK)
		n = LOOK;
	if (n < 1 || frame_load(f, off, s->b, n))
		return 0;
	return n;
}

static __always_inline int too_long(__u32 head, __u32 to_client)
{
	__u32 zero = 0, longest;
	struct vetting *t = bpf_map_lookup_elem(&wp_vetting, &zero);

	if (!t)
		return 1;
	longest = t->longest[to_client & 1];
	return longest && head >= longest;
}

// Looks at the head that n loaded bytes begin with. Returns its length if it
// is simple and no needle is in it, else 0.
__noinline int simple_head(__u32 n, __u32 to_client, __u32 pair)
{
	struct scan *s = scratch();

	if (!s)
		return 0;
	s->at = s->runs = s->name = s->was = s->in_name = s->head = s->bad = 0;
	s->open = 1;
	s->lengths = s->length = s->struck = 0;
	s->size = n;
	s->to_client = to_client;
	s->needles = (pair & 1) * 2 + (to_client & 1);
	bpf_loop(LOOK / STEP, look, 0, 0);
	if (s->bad & 1 || too_long(s->head, to_client))
		return 0;
	return s->head;
}

// Goes on to the LF, and counts the spaces up to it.
static long to_line_end(__u32 turn __attribute__((unused)), void *ctx __attribute__((unused)))
{
	struct scan *s = scratch();
	__u64 at, i;

	if (!s)
		return 1;
	at = s->at;
	PLAIN(at);
	if (at > LOOK - STEP)
		return 1;
#pragma clang loop unroll(disable)
	for (i = 0; i < STEP; i++) {
		if (s->b[at + i] == '\n') {
			s->at = at + i;
			s->bad = 0;
			return 1;
		}
		s->value += s->b[at + i] == ' ';
	}
	s->at = at + STEP;
	return 0;
}

// Whether the bytes loaded begin with a line of three words, the last of which
// is HTTP/1.1.
__noinline int request_line(void)
{
	struct scan *s = scratch();
	__u64 lf;

	if (!s)
		return 0;
	s->at = s->value = 0;
	s->bad = 1;
	bpf_loop(LOOK / STEP, to_line_end, 0, 0);
	lf = s->at;
	PLAIN(lf);
	if (s->bad || s->value != 2 || lf < 15 || lf >= LOOK)
		return 0;
	return s->b[lf - 10] == ' ' && *(__u64 *)&s->b[lf - 9] == HTTP_1_1;
}

// Whether the n loaded bytes are one request of the simple form: GET target
// HTTP/1.1, without a body.
__noinline int simple_request(__u32 n, __u32 pair)
{
	struct scan *s = scratch();

	if (!s || n < 18 || *(__u32 *)s->b != bpf_htonl(0x47455420) || s->b[4] != '/')
		return 0;
	return simple_head(n, 0, pair) == (int)n && request_line();
}

static long digit(__u32 turn __attribute__((unused)), void *ctx __attribute__((unused)))
{
	struct scan *s = scratch();
	__u32 c;
	__u64 at;

	if (!s)
		return 1;
	at = s->at;
	if (at >= LOOK)
		return 1;
	c = s->b[at];
	s->at = at + 1;
	if (c == ' ' && s->digits == 0)
		return 0;
	if (c == '\r' && s->digits) {
		s->bad = 0;
		return 1;
	}
	if (c - '0' > 9 || s->digits >= 9)
		return 1;
	s->digits++;
	s->value = s->value * 10 + (c - '0');
	return 0;
}

// Reads the number at the scratch's length into its value. 0: it is in form.
__noinline int read_length(void)
{
	struct scan *s = scratch();

	if (!s)
		return -1;
	s->at = s->length;
	s->bad = 1;
	s->digits = s->value = 0;
	bpf_loop(16, digit, 0, 0);
	return s->bad;
}

// Whether the n loaded bytes begin with a response of the simple form, whose
// body, if any, has its length in the head. Leaves the lengths of both in the
// scratch's head and value.
__noinline int simple_response(__u32 n, __u32 pair)
{
	struct scan *s = scratch();
	__u32 d1, d2, status;

	if (!s)
		return 0;
	if (n < 17 || *(__u64 *)s->b != HTTP_1_1 || s->b[8] != ' ' || (s->b[12] != ' ' && s->b[12] != '\r'))
		return 0;
	d1 = s->b[10] - '0', d2 = s->b[11] - '0';
	if (s->b[9] < '2' || s->b[9] > '5' || d1 > 9 || d2 > 9)
		return 0;
	status = (s->b[9] - '0') * 100 + d1 * 10 + d2;
	if (!simple_head(n, 1, pair))
		return 0;
	s->value = 0;
	if (status == 204 || status == 304)
		return 1;
	return s->lengths == 1 && !read_length();
}
