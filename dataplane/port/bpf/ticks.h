// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

// How often each processor's clock has ticked, by its number (tick.c).
#define CPUS 1024

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CPUS);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wp_ticks SEC(".maps");
