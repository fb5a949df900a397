/* SPDX-License-Identifier: BSD-3-Clause */
/* A TAP device of this process: held segments leave the kernel by it and return by it, merged ones
 * in one piece. */
#ifndef NP_KERN_TAP_H
#define NP_KERN_TAP_H

#include <net/if.h>
#include <stddef.h>

struct np_err;

#define NP_TAP_HEAD 10 /* struct virtio_net_hdr before every frame */
#define NP_TAP_FRAME_MAX (NP_TAP_HEAD + 65536 + 64)

/**
 * np_tap_open() - create the device "knpN" and bring it up. It vanishes with the descriptor.
 * Return: non-blocking descriptor, or negative errno.
 */
int np_tap_open(char name[IFNAMSIZ], unsigned int *ifindex, struct np_err *err);

#endif
