// SPDX-License-Identifier: Apache-2.0
//
// A frame, however the program is attached: this is all that the rest of the
// program knows of it. The program is built twice, for tcx and, with WIRE_XDP
// defined, for XDP. The one that only looks (watch.c, with WATCH defined) needs
// frame_tag and frame_load alone.
//
//	ATTACHED                   the program's section
//	DROP                       the verdict that drops a frame
//	frame_port(f)              interface index of the port
//	frame_len(f)               bytes, from the Ethernet header
//	frame_packets(f)           packets that the frame is, or will be, on a wire
//	frame_tag(f, &tci)         is the outer tag beside the bytes? then the type
//	                           at offset 12 is already the inner one
//	frame_load, frame_store    copy bytes out and in; 0: done
//	frame_fix_sum(f, off, d)   adds a difference of bpf_csum_diff to the TCP
//	                           checksum at off; 0: done
//	frame_fix_length(f, off, was, is)
//	                           the same for a new length in the pseudo-header
//	frame_may_shrink(f)        may its last bytes be taken away?
//	frame_shrink(f, n)         takes the last n bytes away; 0: done
//	frame_checked(f)           was the TCP checksum verified on the way in?
//	to_peer(port)              the verdict that sends it out of the other port
//	to_engine(f, port)         the verdict that hands it up, or NOBODY: nobody
//	                           would take it

#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifdef WATCH
#include "frame_watch.h"
#else
#include "maps.h"

enum { NOBODY = -1 };

#ifdef WIRE_XDP
#include "frame_xdp.h"
#else
#include "frame_tcx.h"
#endif
#endif
