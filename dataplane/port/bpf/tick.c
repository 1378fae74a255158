// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Clocks that stand still while their processors do: they tell an engine that is
// dead from one whose machine was not given the time to run it. Each is a timer
// of its processor's own, which goes on without the engine as long as the map is
// pinned. An event of perf, which needs no GPL, does not do: it does not tick
// while its processor has nothing to do.

#include <linux/errno.h>

#include "ticks.h"

#define TICK_NS 25000000ULL
#define CLOCK_MONOTONIC 1
// Of Linux 6.7: later than the headers of Debian 12.
#ifndef BPF_F_TIMER_CPU_PIN
#define BPF_F_TIMER_CPU_PIN (1ULL << 1)
#endif

struct clock {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CPUS);
	__type(key, __u32);
	__type(value, struct clock);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_clocks SEC(".maps");

static int tick(void *map, __u32 *cpu, struct clock *c)
{
	__u64 *t = bpf_map_lookup_elem(&wp_ticks, cpu);

	(void)map;
	if (t)
		*t += 1;
	bpf_timer_start(&c->timer, TICK_NS, BPF_F_TIMER_CPU_PIN);
	return 0;
}

// Starts the clock of the processor that it runs on. One that an earlier process
// has started goes on, with this program. Returns 0 or an error number.
SEC("tc")
int start_clock(struct __sk_buff *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct clock *c = bpf_map_lookup_elem(&wp_clocks, &cpu);
	int err;

	(void)ctx;
	if (!c)
		return 0;
	err = bpf_timer_init(&c->timer, &wp_clocks, CLOCK_MONOTONIC);
	if (err && err != -EBUSY) // it may have been
		return -err;
	err = bpf_timer_set_callback(&c->timer, tick);
	if (!err)
		err = bpf_timer_start(&c->timer, TICK_NS, BPF_F_TIMER_CPU_PIN);
	return -err;
}

// Timers are for programs under the GPL only, so this one may be had under it, too.
char __license[] SEC("license") = "Dual BSD/GPL";
