/* SPDX-License-Identifier: BSD-3-Clause */
/* A TAP device that this process makes in a network namespace. */
#ifndef NP_LINKEM_TAP_H
#define NP_LINKEM_TAP_H

#include <net/if.h>
#include <stdint.h>

#define LINKEM_NETNS_MAX 64

struct linkem_tap {
	char netns[LINKEM_NETNS_MAX]; /* empty: the namespace this process was started in */
	char ifname[IFNAMSIZ];        /* wanted name, afterwards the real one */
	int fd;                       /* frames; -1 when absent */
	int stats_fd;                 /* /proc/net/dev of the namespace */
};

/**
 * linkem_tap_parse() - fill netns and ifname from "NETNS:IFNAME" or "IFNAME"
 *
 * A "%d" in IFNAME is replaced by the kernel with the first free number.
 *
 * Return: 0, or -EINVAL when @text is neither.
 */
int linkem_tap_parse(struct linkem_tap *tap, const char *text);

/**
 * linkem_tap_open() - create the device and bring it up
 * @tap: as linkem_tap_parse() left it
 *
 * The device lives until linkem_tap_close(). An existing device of that name is left alone.
 *
 * Return: 0; or a negative errno after one line on stderr.
 */
int linkem_tap_open(struct linkem_tap *tap, int mtu);
void linkem_tap_close(struct linkem_tap *tap);

/* Frames that the kernel dropped because the device's own ring was full; 0 when unknown. */
uint64_t linkem_tap_dropped(const struct linkem_tap *tap);

#endif
