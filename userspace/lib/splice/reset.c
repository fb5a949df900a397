// SPDX-License-Identifier: BSD-3-Clause
/*
 * A promoted pair has no sockets that could be reset, so both peers get a RST made by hand. A peer
 * believes it only with the number that it expects next, which is what it acknowledged last, or,
 * with an acknowledgement under way or delayed, the end of what was sent to it: it gets one RST for
 * each. Should both miss, the stack answers its next segment.
 */
#include "base/fd.h"
#include "base/log.h"
#include "splice/express_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static uint32_t sum(const void *data, size_t len, uint32_t acc)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		acc += (uint32_t)p[i] << 8 | p[i + 1];
	return acc;
}

static uint16_t fold(uint32_t acc)
{
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return htons((uint16_t)~acc);
}

static void fill_tcp(struct tcphdr *tcp, const struct npx_key *to, uint32_t seq, uint32_t ack,
		     size_t addr_len)
{
	uint32_t acc;

	memset(tcp, 0, sizeof(*tcp));
	tcp->source = to->dport;
	tcp->dest = to->sport;
	tcp->seq = htonl(seq);
	tcp->ack_seq = htonl(ack);
	tcp->doff = sizeof(*tcp) / 4;
	tcp->rst = 1;
	tcp->ack = 1;
	acc = sum(to->saddr, addr_len, sum(to->daddr, addr_len, IPPROTO_TCP + sizeof(*tcp)));
	tcp->check = fold(sum(tcp, sizeof(*tcp), acc));
}

static int send_ip4(const struct npx_key *to, uint32_t seq, uint32_t ack)
{
	struct sockaddr_in dst = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} p = {.ip = {.version = 4,
		      .ihl = 5,
		      .ttl = 64,
		      .protocol = IPPROTO_TCP,
		      .frag_off = htons(IP_DF)}};
	ssize_t n;

	if (fd < 0)
		return -errno;
	p.ip.tot_len = htons(sizeof(p));
	p.ip.saddr = to->daddr[0];
	p.ip.daddr = dst.sin_addr.s_addr = to->saddr[0];
	fill_tcp(&p.tcp, to, seq, ack, 4);
	n = sendto(fd, &p, sizeof(p), 0, (struct sockaddr *)&dst, sizeof(dst));
	np_fd_close(&fd);
	return n < 0 ? -errno : 0;
}

static int send_ip6(const struct npx_key *to, uint32_t seq, uint32_t ack)
{
	struct sockaddr_in6 dst = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	struct {
		struct ip6_hdr ip;
		struct tcphdr tcp;
	} p = {0};
	ssize_t n;

	if (fd < 0)
		return -errno;
	p.ip.ip6_flow = htonl(6u << 28);
	p.ip.ip6_plen = htons(sizeof(p.tcp));
	p.ip.ip6_nxt = IPPROTO_TCP;
	p.ip.ip6_hlim = 64;
	memcpy(&p.ip.ip6_src, to->daddr, 16);
	memcpy(&p.ip.ip6_dst, to->saddr, 16);
	memcpy(&dst.sin6_addr, to->saddr, 16);
	fill_tcp(&p.tcp, to, seq, ack, 16);
	n = sendto(fd, &p, sizeof(p), 0, (struct sockaddr *)&dst, sizeof(dst));
	np_fd_close(&fd);
	return n < 0 ? -errno : 0;
}

static void reset_peer(const struct npx_key *to, uint32_t seq, uint32_t ack)
{
	int ret = to->family == 4 ? send_ip4(to, seq, ack) : send_ip6(to, seq, ack);

	if (ret)
		np_debug("express: no reset sent: %s", strerror(-ret));
}

void np_reset_pair(struct np_xpair *xp)
{
	struct npx_flow flow[2];
	uint32_t sent[2];
	int side;

	for (side = 0; side < 2; side++) {
		if (np_bpfobj_get(xp->x->obj, &xp->ref[side].key, &flow[side]))
			return; /* there is nothing left to be reset */
	}
	/* First the entries: what a peer says to a RST that misses goes to the stack, which knows
	 * the right number. */
	for (side = 0; side < 2; side++)
		np_bpfobj_del(xp->x->obj, &xp->ref[side].key);
	for (side = 0; side < 2; side++)
		sent[side] = flow[side].isn + (uint32_t)flow[side].pos +
			     (flow[side].marks & NPX_M_FIN ? 1 : 0);
	for (side = 0; side < 2; side++) {
		uint32_t end = sent[!side] + flow[!side].dseq;

		reset_peer(&xp->ref[side].key, flow[side].ack, sent[side]);
		if (end != flow[side].ack)
			reset_peer(&xp->ref[side].key, end, sent[side]);
	}
}
