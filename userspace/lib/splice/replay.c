// SPDX-License-Identifier: BSD-3-Clause
/*
 * Held segments arrive on the TAP device and wait in the attempt of their pair. Written back they
 * meet the program of the TAP device, which translates them or sends them to the interface that
 * they came from, whatever the pair became. What belongs to no pair that is held (the program saw
 * the old state just before it changed) is written back at once.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "kern/tap.h"
#include "splice/express_impl.h"

#include <errno.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELD_MAX (8u << 20) /* bytes of one side; more: the attempt is given up */
#define HELD_ALL_MAX (64u << 20)
#define READS_MAX 1024 /* frames per turn */

/* Tuple and acknowledgement of a frame as read from the device. False: no TCP, which nobody but us
 * could send to it. */
static bool parse(const uint8_t *frame, size_t len, struct npx_key *key, uint32_t *ack,
		  bool *has_ack)
{
	const uint8_t *eth = frame + NP_TAP_HEAD, *ip = eth + ETH_HLEN, *tcp;
	size_t ip_len, addr_at, addr_len;

	memset(key, 0, sizeof(*key));
	if (len < NP_TAP_HEAD + ETH_HLEN + sizeof(struct iphdr))
		return false;
	key->family = *ip >> 4;
	if (key->family != 4 && key->family != 6)
		return false;
	ip_len = key->family == 4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
	addr_at = key->family == 4 ? offsetof(struct iphdr, saddr)
				   : offsetof(struct ip6_hdr, ip6_src);
	addr_len = key->family == 4 ? 4 : 16;
	if (len < NP_TAP_HEAD + ETH_HLEN + ip_len + sizeof(struct tcphdr))
		return false;
	memcpy(key->saddr, ip + addr_at, addr_len);
	memcpy(key->daddr, ip + addr_at + addr_len, addr_len);
	tcp = ip + ip_len;
	memcpy(&key->sport, tcp, sizeof(key->sport));
	memcpy(&key->dport, tcp + 2, sizeof(key->dport));
	memcpy(ack, tcp + 8, sizeof(*ack));
	*ack = ntohl(*ack);
	*has_ack = tcp[13] & TH_ACK;
	return true;
}

static void write_back(struct np_express *x, const uint8_t *data, size_t len)
{
	if (write(x->tap_fd, data, len) < 0)
		np_debug("express: a held segment is lost: %s", strerror(errno));
}

/* What finds no room is lost, its sender will send it again; the attempt is given up. */
static void keep(struct np_express *x, struct np_xattempt *attempt, int side, const uint8_t *data,
		 size_t len)
{
	struct np_xframe *frame = NULL;

	if (attempt->frames_len[side] + len <= HELD_MAX && x->held_len + len <= HELD_ALL_MAX)
		frame = malloc(sizeof(*frame) + len);
	if (!frame) {
		attempt->overflow = true;
		return;
	}
	frame->next = NULL;
	frame->len = len;
	memcpy(frame->data, data, len);
	*attempt->frames_end = frame;
	attempt->frames_end = &frame->next;
	attempt->frames_len[side] += len;
	x->held_len += len;
	x->status.held_frames++;
}

static void take_frame(struct np_express *x, const uint8_t *data, size_t len)
{
	struct np_xattempt *attempt;
	struct np_xref *ref;
	struct npx_key key;
	bool has_ack;
	uint32_t ack;
	int side;

	if (!parse(data, len, &key, &ack, &has_ack))
		return;
	ref = np_xtable_find(&x->table, &key);
	if (!ref || ref->xp->state != NP_X_HELD) {
		write_back(x, data, len);
		return;
	}
	attempt = ref->xp->attempt;
	side = ref == &ref->xp->ref[1];
	keep(x, attempt, side, data, len);
	if (has_ack &&
	    (!attempt->has_held_ack[side] || (int32_t)(ack - attempt->held_ack[side]) > 0)) {
		attempt->held_ack[side] = ack;
		attempt->has_held_ack[side] = true;
	}
}

void np_replay_read(struct np_express *x)
{
	ssize_t n;
	int i;

	if (x->tap_fd < 0)
		return;
	for (i = 0; i < READS_MAX; i++) {
		n = read(x->tap_fd, x->frame, NP_TAP_FRAME_MAX);
		if (n <= 0)
			return;
		take_frame(x, x->frame, (size_t)n);
	}
}

void np_replay_flush(struct np_express *x, struct np_xattempt *attempt)
{
	struct np_xframe *frame;

	while ((frame = attempt->frames)) {
		attempt->frames = frame->next;
		x->held_len -= frame->len;
		write_back(x, frame->data, frame->len);
		free(frame);
	}
	attempt->frames_end = &attempt->frames;
	attempt->frames_len[0] = attempt->frames_len[1] = 0;
}

void np_replay_end(struct np_express *x, const struct npx_key *key)
{
	uint8_t frame[NP_TAP_HEAD + ETH_HLEN + sizeof(struct ip6_hdr) + sizeof(struct tcphdr)] = {
		0};
	uint8_t *eth = frame + NP_TAP_HEAD, *ip = eth + ETH_HLEN, *tcp;
	bool is_ip4 = key->family == 4;
	size_t ip_len = is_ip4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);

	tcp = ip + ip_len;
	memcpy(eth + 12, is_ip4 ? "\x08\x00" : "\x86\xdd", 2);
	if (is_ip4) {
		*(struct iphdr *)ip = (struct iphdr){
			.version = 4,
			.ihl = 5,
			.protocol = IPPROTO_TCP,
			.tot_len = htons(sizeof(struct iphdr) + sizeof(struct tcphdr)),
			.saddr = key->saddr[0],
			.daddr = key->daddr[0]};
	} else {
		*ip = 6 << 4;
		ip[5] = sizeof(struct tcphdr);
		ip[6] = IPPROTO_TCP;
		memcpy(ip + 8, key->saddr, 16);
		memcpy(ip + 24, key->daddr, 16);
	}
	memcpy(tcp, &key->sport, 2);
	memcpy(tcp + 2, &key->dport, 2);
	tcp[12] = sizeof(struct tcphdr) / 4 << 4;
	tcp[13] = NPX_REPLAY_END;
	write_back(x, frame, NP_TAP_HEAD + ETH_HLEN + ip_len + sizeof(struct tcphdr));
}

static void on_tap(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	np_replay_read(w->data);
}

int np_replay_open(struct np_express *x, struct np_err *err)
{
	char name[IFNAMSIZ];

	x->frame = malloc(NP_TAP_FRAME_MAX);
	if (!x->frame)
		return np_fail(err, -ENOMEM, "express: no memory");
	x->tap_fd = np_tap_open(name, &x->tap, err);
	return x->tap_fd < 0 ? x->tap_fd : np_bpfobj_attach_replay(x->obj, x->tap, err);
}

void np_replay_start(struct np_express *x)
{
	ev_io_init(&x->tap_io, on_tap, x->tap_fd, EV_READ);
	x->tap_io.data = x;
	ev_io_start(x->splice->loop, &x->tap_io);
}

void np_replay_close(struct np_express *x)
{
	if (ev_is_active(&x->tap_io))
		ev_io_stop(x->splice->loop, &x->tap_io);
	np_fd_close(&x->tap_fd);
	free(x->frame);
	x->frame = NULL;
}
