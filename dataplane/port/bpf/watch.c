// SPDX-License-Identifier: Apache-2.0
//
// The program that looks at what servers say, beside tcx.

#define WATCH

#include "watch.h"

enum { NEXT = -1 }; // TCX_NEXT: the program behind decides

SEC("tcx/ingress")
int watch(frame *f)
{
	struct view v = {};

	if (parse(f, &v) == KIND_L4)
		watch_frame(f, &v);
	return NEXT;
}

char __license[] SEC("license") = "Apache-2.0";
