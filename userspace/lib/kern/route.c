// SPDX-License-Identifier: BSD-3-Clause
#include "kern/route.h"

#include "base/err.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr nlh;
	struct rtmsg rtm;
	char attrs[128];
};

static void put_attr(struct request *req, unsigned short type, const void *data, size_t len)
{
	struct rtattr *rta = (struct rtattr *)((char *)req + NLMSG_ALIGN(req->nlh.nlmsg_len));

	rta->rta_type = type;
	rta->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(rta), data, len);
	req->nlh.nlmsg_len = NLMSG_ALIGN(req->nlh.nlmsg_len) + (uint32_t)RTA_ALIGN(rta->rta_len);
}

static void build(struct request *req, const struct np_route_query *q)
{
	unsigned char bits = q->family == AF_INET ? 32 : 128;

	memset(req, 0, sizeof(*req));
	req->nlh.nlmsg_len = NLMSG_LENGTH(sizeof(req->rtm));
	req->nlh.nlmsg_type = RTM_GETROUTE;
	req->nlh.nlmsg_flags = NLM_F_REQUEST;
	req->rtm.rtm_family = (unsigned char)q->family;
	req->rtm.rtm_src_len = req->rtm.rtm_dst_len = bits;
	put_attr(req, RTA_SRC, q->src, bits / 8u);
	put_attr(req, RTA_DST, q->dst, bits / 8u);
	if (q->oif)
		put_attr(req, RTA_OIF, &q->oif, sizeof(q->oif));
	if (q->mark)
		put_attr(req, RTA_MARK, &q->mark, sizeof(q->mark));
}

/* Return: index, 0 when the answer names none, or negative errno. */
static int read_answer(const struct nlmsghdr *nlh, size_t got)
{
	const struct rtmsg *rtm = NLMSG_DATA(nlh);
	const struct rtattr *rta;
	int left, oif = 0;

	if (!NLMSG_OK(nlh, got))
		return -EPROTO;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(nlh))->error;
	if (nlh->nlmsg_type != RTM_NEWROUTE || nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*rtm)))
		return -EPROTO;
	if (rtm->rtm_type != RTN_UNICAST)
		return rtm->rtm_type == RTN_LOCAL ? -EADDRINUSE : -ENETUNREACH;
	left = (int)RTM_PAYLOAD(nlh);
	for (rta = RTM_RTA(rtm); RTA_OK(rta, left); rta = RTA_NEXT(rta, left)) {
		if (rta->rta_type == RTA_OIF && RTA_PAYLOAD(rta) >= sizeof(oif))
			memcpy(&oif, RTA_DATA(rta), sizeof(oif));
	}
	return oif;
}

int np_route_oif(const struct np_route_query *query, unsigned int *oif, struct np_err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), ret = 0;
	_Alignas(struct nlmsghdr) char answer[4096];
	struct request req;
	ssize_t n = -1;

	if (fd < 0)
		return np_fail_errno(err, -errno, "cannot ask for routes");
	build(&req, query);
	if (send(fd, &req, req.nlh.nlmsg_len, 0) >= 0)
		n = recv(fd, answer, sizeof(answer), 0);
	ret = n < 0 ? -errno : read_answer((const struct nlmsghdr *)answer, (size_t)n);
	np_fd_close(&fd);
	if (ret == -EADDRINUSE)
		return np_fail(err, -EOPNOTSUPP, "a peer is on this host");
	if (ret <= 0)
		return np_fail_errno(err, ret == 0 ? -EHOSTUNREACH : ret,
				     "no plain route to the peer");
	*oif = (unsigned int)ret;
	return 0;
}

int np_route_is_ethernet(unsigned int ifindex, struct np_err *err)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;
	struct ifreq ifr = {0};

	if (fd < 0)
		return np_fail_errno(err, -errno, "socket");
	if (!if_indextoname(ifindex, ifr.ifr_name) || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		ret = np_fail(err, -ENODEV, "interface %u: is gone", ifindex);
	else if (ifr.ifr_flags & IFF_LOOPBACK)
		ret = np_fail(err, -EOPNOTSUPP, "a peer is on this host (%s)", ifr.ifr_name);
	else if (!(ifr.ifr_flags & IFF_UP))
		ret = np_fail(err, -ENETDOWN, "interface %s: is down", ifr.ifr_name);
	else if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0 || ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		ret = np_fail(err, -EOPNOTSUPP, "interface %s: is not Ethernet", ifr.ifr_name);
	np_fd_close(&fd);
	return ret;
}
