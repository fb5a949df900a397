// SPDX-License-Identifier: BSD-3-Clause
#include "kern/tap.h"

#include "base/err.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_LEN 4096 /* frames that may wait for us; some are merged ones of 64 KiB */

static int tap_create(int fd, struct ifreq *ifr, struct np_err *err)
{
	memset(ifr, 0, sizeof(*ifr));
	memcpy(ifr->ifr_name, "knp%d", sizeof("knp%d"));
	ifr->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, ifr) < 0)
		return np_fail_errno(err, -errno, "cannot create a TAP device");
	if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
		return np_fail_errno(err, -errno, "device %s: cannot set offloads", ifr->ifr_name);
	return 0;
}

/* Nobody shall speak by this device, router solicitations included. Best effort: IPv6 may be off.
 */
static void tap_silence(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "1", 1);
	np_fd_close(&fd);
}

static int tap_up(int sock, struct ifreq *ifr, unsigned int *ifindex, struct np_err *err)
{
	ifr->ifr_qlen = QUEUE_LEN;
	if (ioctl(sock, SIOCSIFTXQLEN, ifr) < 0)
		return np_fail_errno(err, -errno, "device %s: cannot set the queue length",
				     ifr->ifr_name);
	if (ioctl(sock, SIOCGIFFLAGS, ifr) < 0)
		return np_fail_errno(err, -errno, "device %s: cannot read flags", ifr->ifr_name);
	ifr->ifr_flags |= IFF_UP | IFF_NOARP;
	if (ioctl(sock, SIOCSIFFLAGS, ifr) < 0)
		return np_fail_errno(err, -errno, "device %s: cannot be brought up", ifr->ifr_name);
	if (ioctl(sock, SIOCGIFINDEX, ifr) < 0)
		return np_fail_errno(err, -errno, "device %s: has no index", ifr->ifr_name);
	*ifindex = (unsigned int)ifr->ifr_ifindex;
	return 0;
}

int np_tap_open(char name[IFNAMSIZ], unsigned int *ifindex, struct np_err *err)
{
	int sock = -1, ret, fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq ifr;

	if (fd < 0)
		return np_fail_errno(err, -errno, "cannot open /dev/net/tun");
	ret = tap_create(fd, &ifr, err);
	if (ret)
		goto out;
	tap_silence(ifr.ifr_name);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ret = sock < 0 ? np_fail_errno(err, -errno, "socket") : tap_up(sock, &ifr, ifindex, err);
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
out:
	np_fd_close(&sock);
	if (ret) {
		np_fd_close(&fd);
		return ret;
	}
	return fd;
}
