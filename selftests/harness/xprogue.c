// SPDX-License-Identifier: BSD-3-Clause
/*
 * xprogue: a sender that knows the addresses and ports of a connection and nothing else. It sends
 *COUNT segments each of data, FIN, RST, SYN and bare ACK with random numbers, from SRC:SPORT to
 *DST:DPORT (IPv4, raw socket).
 *
 *	xprogue SRC SPORT DST DPORT COUNT SEED
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAYLOAD 32

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t data[PAYLOAD];
};

static uint64_t state;

static uint32_t draw(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 32);
}

static uint32_t sum16(const void *data, size_t len, uint32_t acc)
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

static int forge(int fd, struct packet *p, const struct sockaddr_in *dst, uint8_t flags,
		 size_t payload)
{
	size_t tcp_len = sizeof(p->tcp) + payload;

	p->ip.tot_len = htons((uint16_t)(sizeof(p->ip) + tcp_len));
	p->tcp.seq = draw();
	p->tcp.ack_seq = draw();
	p->tcp.window = htons(1000);
	((uint8_t *)&p->tcp)[13] = flags;
	memset(p->data, 'R', sizeof(p->data));
	p->tcp.check = 0;
	p->tcp.check = fold(
		sum16(&p->tcp, tcp_len, sum16(&p->ip.saddr, 8, (uint32_t)(IPPROTO_TCP + tcp_len))));
	return sendto(fd, p, sizeof(p->ip) + tcp_len, 0, (const struct sockaddr *)dst,
		      sizeof(*dst)) < 0
		       ? -1
		       : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		uint8_t flags;
		size_t payload;
	} kinds[] = {{TH_ACK, PAYLOAD},	   {TH_ACK | TH_FIN, 0}, {TH_RST, 0},
		     {TH_RST | TH_ACK, 0}, {TH_SYN, 0},		 {TH_ACK, 0}};
	struct packet p = {.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP}};
	struct sockaddr_in dst = {.sin_family = AF_INET};
	int fd, count, i;
	size_t kind;

	if (argc != 7 || inet_pton(AF_INET, argv[1], &p.ip.saddr) != 1 ||
	    inet_pton(AF_INET, argv[3], &p.ip.daddr) != 1)
		return 2;
	p.tcp.source = htons((uint16_t)atoi(argv[2]));
	p.tcp.dest = htons((uint16_t)atoi(argv[4]));
	p.tcp.doff = 5;
	dst.sin_addr.s_addr = p.ip.daddr;
	count = atoi(argv[5]);
	state = strtoull(argv[6], NULL, 10);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) {
		perror("xprogue: raw socket");
		return 1;
	}
	for (i = 0; i < count; i++) {
		for (kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
			if (forge(fd, &p, &dst, kinds[kind].flags, kinds[kind].payload)) {
				perror("xprogue: send");
				return 1;
			}
		}
	}
	return 0;
}
