// SPDX-License-Identifier: BSD-3-Clause
#include "splice/leg.h"

#include "base/err.h"
#include "kern/route.h"
#include "net/sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ESTABLISHED 1 /* of enum in the kernel's net/tcp_states.h */
#define REPAIR_ON 1
#define SQUEEZE_MIN (256 * 1024)
#define SQUEEZE_MAX (64 * 1024 * 1024)
#define REPAIR_OFF_NO_PROBE (-1)
#define DIALECT (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_ECN)

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

static int get_opt(int fd, int level, int name, void *value, socklen_t len)
{
	return getsockopt(fd, level, name, value, &len) < 0 ? -errno : 0;
}

/* v4-mapped addresses are IPv4 on the wire. Return: 4, 6, or 0 for other families. */
static uint32_t put_addr(const struct np_addr *addr, __u32 words[4], __u16 *port)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr->ss;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&addr->ss;

	memset(words, 0, 16);
	if (addr->ss.ss_family == AF_INET) {
		words[0] = in->sin_addr.s_addr;
		*port = in->sin_port;
		return 4;
	}
	if (addr->ss.ss_family != AF_INET6)
		return 0;
	*port = in6->sin6_port;
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(words, &in6->sin6_addr.s6_addr[12], 4);
		return 4;
	}
	memcpy(words, &in6->sin6_addr, 16);
	return IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) ? 0 : 6;
}

static int read_tuple(int fd, struct npx_key *key, struct np_err *err)
{
	struct np_addr local, peer;

	memset(key, 0, sizeof(*key));
	if (np_sock_local(fd, &local) || np_sock_peer(fd, &peer))
		return np_fail(err, -ENOTCONN, "a side is not connected");
	key->family = put_addr(&peer, key->saddr, &key->sport);
	if (!key->family || key->family != put_addr(&local, key->daddr, &key->dport))
		return np_fail(err, -EOPNOTSUPP, "a side is neither plain IPv4 nor plain IPv6");
	return 0;
}

static int read_tcp_info(int fd, struct np_leg *leg, struct np_err *err)
{
	struct tcp_info ti = {0};
	char ulp[16] = "";
	int protocol = 0;

	if (get_opt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, sizeof(protocol)) ||
	    protocol != IPPROTO_TCP)
		return np_fail(err, -EOPNOTSUPP, "a side is not plain TCP (protocol %d)", protocol);
	if (!get_opt(fd, IPPROTO_TCP, TCP_ULP, ulp, sizeof(ulp)) && *ulp)
		return np_fail(err, -EOPNOTSUPP, "a side has the upper layer protocol %.15s", ulp);
	if (get_opt(fd, IPPROTO_TCP, TCP_INFO, &ti, sizeof(ti)))
		return np_fail_errno(err, -errno, "TCP_INFO");
	leg->options = ti.tcpi_options;
	leg->snd_wscale = ti.tcpi_snd_wscale;
	leg->rcv_wscale = ti.tcpi_rcv_wscale;
	leg->advmss = ti.tcpi_advmss;
	leg->snd_mss = ti.tcpi_snd_mss;
	return 0;
}

static int find_way(int fd, struct np_leg *leg, struct np_err *err)
{
	struct np_route_query query = {
		.family = leg->key.family == 4 ? AF_INET : AF_INET6,
		.src = leg->key.daddr,
		.dst = leg->key.saddr,
	};
	int ret;

	(void)get_opt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &query.oif, sizeof(query.oif));
	(void)get_opt(fd, SOL_SOCKET, SO_MARK, &query.mark, sizeof(query.mark));
	ret = np_route_oif(&query, &leg->oif, err);
	return ret ? ret : np_route_is_ethernet(leg->oif, err);
}

int np_leg_inspect(int fd, struct np_leg *leg, struct np_err *err)
{
	int ret;

	memset(leg, 0, sizeof(*leg));
	ret = read_tuple(fd, &leg->key, err);
	if (!ret)
		ret = read_tcp_info(fd, leg, err);
	return ret ? ret : find_way(fd, leg, err);
}

/* Segments of @from's peer leave by @to: they must be no longer than what @to may send. */
static int check_mss(const struct np_leg *from, const struct np_leg *to, struct np_err *err)
{
	uint32_t longest = from->advmss - (from->options & TCPI_OPT_TIMESTAMPS ? 12 : 0);

	if (longest <= to->snd_mss)
		return 0;
	return np_fail(
		err, -EOPNOTSUPP,
		"segments of one side (%u bytes) are too long for the other (%u): announce less",
		longest, to->snd_mss);
}

int np_legs_may_join(const struct np_leg *a, const struct np_leg *b, struct np_err *err)
{
	int ret;

	if (a->key.family != b->key.family)
		return np_fail(err, -EOPNOTSUPP, "one side is IPv4, the other IPv6");
	if ((a->options ^ b->options) & TCPI_OPT_TIMESTAMPS)
		return np_fail(err, -EOPNOTSUPP, "only one side uses TCP timestamps");
	if ((a->options ^ b->options) & TCPI_OPT_SACK)
		return np_fail(err, -EOPNOTSUPP, "only one side uses TCP SACK");
	if ((a->options ^ b->options) & DIALECT)
		return np_fail(err, -EOPNOTSUPP, "only one side uses ECN");
	ret = check_mss(a, b, err);
	return ret ? ret : check_mss(b, a, err);
}

int np_leg_waiting(int fd, int *in, int *out)
{
	*in = *out = 0;
	return ioctl(fd, SIOCINQ, in) < 0 || ioctl(fd, SIOCOUTQ, out) < 0 ? -errno : 0;
}

int np_leg_rtt_ms(int fd)
{
	struct tcp_info ti = {0};

	return get_opt(fd, IPPROTO_TCP, TCP_INFO, &ti, sizeof(ti)) ? 0 : (int)(ti.tcpi_rtt / 1000);
}

void np_leg_squeeze(int fd, int to_fd, uint64_t rate)
{
	int unsent = SQUEEZE_MIN / 2;
	struct tcp_info ti = {0};
	uint64_t clamp;
	int value;

	if (get_opt(fd, IPPROTO_TCP, TCP_INFO, &ti, sizeof(ti)))
		return;
	clamp = 2 * rate * (ti.tcpi_min_rtt / 1000 + 1);
	value = clamp < SQUEEZE_MIN ? SQUEEZE_MIN : clamp > SQUEEZE_MAX ? SQUEEZE_MAX : (int)clamp;
	/* TCP_WINDOW_CLAMP would not do: receive buffer tuning lifts it again. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof(value));
	(void)setsockopt(to_fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

static int read_queue_seq(int fd, int queue, uint32_t *seq)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) < 0)
		return -errno;
	return get_opt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, seq, sizeof(*seq));
}

int np_leg_freeze(int fd, struct np_leg *leg)
{
	struct tcp_repair_window window = {0};
	struct tcp_info ti = {0};
	int on = REPAIR_ON, ret;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
		return -errno;
	ret = read_queue_seq(fd, TCP_SEND_QUEUE, &leg->snd);
	if (!ret)
		ret = read_queue_seq(fd, TCP_RECV_QUEUE, &leg->rcv);
	if (!ret)
		ret = get_opt(fd, IPPROTO_TCP, TCP_TIMESTAMP, &leg->clock, sizeof(leg->clock));
	if (!ret)
		ret = get_opt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window));
	if (!ret)
		ret = get_opt(fd, IPPROTO_TCP, TCP_INFO, &ti, sizeof(ti));
	if (!ret && ti.tcpi_state != ESTABLISHED)
		ret = -ENOTCONN;
	leg->snd_wnd = window.snd_wnd;
	leg->rcv_wnd = window.rcv_wnd;
	return ret;
}

void np_leg_thaw(int fd)
{
	int off = REPAIR_OFF_NO_PROBE, on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off));
	/* Leaving repair mode clears it, and the port would be blocked for a later bind(). */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}
