/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* The table of the express program, and what all of it includes. */
#ifndef BPF_FLOWS_H
#define BPF_FLOWS_H

#include "npbpf/express.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_OFFSET 0x1fff
#define IP_MF 0x2000

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NPX_MAX_FLOWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct npx_key);
	__type(value, struct npx_flow);
} flows SEC(".maps");

#endif
