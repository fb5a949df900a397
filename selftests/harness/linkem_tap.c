// SPDX-License-Identifier: BSD-3-Clause
#include "linkem_tap.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A TAP device takes the socket's reference off each frame, so TCP does not feel this ring and can
 * have a whole congestion window in it. The ring must not be the place where frames get lost.
 */
#define RING_FRAMES 16384

int linkem_tap_parse(struct linkem_tap *tap, const char *text)
{
	const char *colon = strchr(text, ':');
	const char *ifname = colon ? colon + 1 : text;
	size_t len = colon ? (size_t)(colon - text) : 0;

	if ((colon && !len) || memchr(text, '/', len) || text[0] == '.')
		return -EINVAL;
	if (!np_str_is_charset(ifname, "-_.%"))
		return -EINVAL;
	if (np_str_copy_n(tap->netns, sizeof(tap->netns), text, len) ||
	    np_str_copy(tap->ifname, sizeof(tap->ifname), ifname))
		return -EINVAL;
	return 0;
}

static int say(const struct linkem_tap *tap, const char *what)
{
	int code = errno;

	fprintf(stderr, "linkem: %s%s%s: %s: %s\n", tap->netns, *tap->netns ? ":" : "",
		tap->ifname, what, strerror(code));
	return -code;
}

static int set_up(struct linkem_tap *tap, int mtu)
{
	struct ifreq ifr = { 0 };
	int fd, ret = 0;

	/* An ioctl on a device acts in the namespace in which the socket was made. */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return say(tap, "cannot make a socket");
	memcpy(ifr.ifr_name, tap->ifname, sizeof(ifr.ifr_name));
	ifr.ifr_mtu = mtu;
	if (ioctl(fd, SIOCSIFMTU, &ifr)) {
		ret = say(tap, "cannot set the MTU");
		goto out;
	}
	ifr.ifr_qlen = RING_FRAMES;
	if (ioctl(fd, SIOCSIFTXQLEN, &ifr)) {
		ret = say(tap, "cannot set the queue length");
		goto out;
	}
	if (ioctl(fd, SIOCGIFFLAGS, &ifr)) {
		ret = say(tap, "cannot read the flags");
		goto out;
	}
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		ret = say(tap, "cannot bring the device up");
out:
	close(fd);
	return ret;
}

/* Create the device in the namespace that this thread is in. */
static int create(struct linkem_tap *tap, int mtu)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL };

	tap->stats_fd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
	if (tap->stats_fd < 0)
		return say(tap, "cannot open /proc/thread-self/net/dev");
	tap->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tap->fd < 0)
		return say(tap, "cannot open /dev/net/tun (needs root, and the tun module)");
	memcpy(ifr.ifr_name, tap->ifname, sizeof(ifr.ifr_name));
	if (ioctl(tap->fd, TUNSETIFF, &ifr))
		return say(tap, "cannot create the TAP device");
	memcpy(tap->ifname, ifr.ifr_name, sizeof(tap->ifname));
	return set_up(tap, mtu);
}

int linkem_tap_open(struct linkem_tap *tap, int mtu)
{
	char path[sizeof("/run/netns/") + LINKEM_NETNS_MAX];
	int home = -1, there = -1, ret;

	if (!*tap->netns)
		return create(tap, mtu);
	snprintf(path, sizeof(path), "/run/netns/%s", tap->netns);
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0) {
		ret = say(tap, "cannot open the network namespace");
		goto out;
	}
	if (setns(there, CLONE_NEWNET)) {
		ret = say(tap, "cannot enter the network namespace");
		goto out;
	}
	ret = create(tap, mtu);
	if (setns(home, CLONE_NEWNET))
		ret = say(tap, "cannot come back from the network namespace");
out:
	np_fd_close(&there);
	np_fd_close(&home);
	return ret;
}

void linkem_tap_close(struct linkem_tap *tap)
{
	np_fd_close(&tap->fd);
	np_fd_close(&tap->stats_fd);
}

uint64_t linkem_tap_dropped(const struct linkem_tap *tap)
{
	char text[32768], *line, *save = NULL;
	uint64_t dropped = 0;
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) - 1) {
		n = pread(tap->stats_fd, text + len, sizeof(text) - 1 - len, (off_t)len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " ");
		n = (ssize_t)strlen(tap->ifname);
		/* Eight receive columns, then bytes, packets, errors and drops of sending. */
		if (!strncmp(line, tap->ifname, (size_t)n) && line[n] == ':')
			sscanf(line + n + 1,
			       "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64, &dropped);
	}
	return dropped;
}
