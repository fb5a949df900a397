// SPDX-License-Identifier: BSD-3-Clause
/*
 * Held segments arrive on the TAP device and wait in the attempt of their pair. Written back they continue where they
 * were taken from: the program on the TAP device sends them to that interface's ingress. What belongs to no pair that
 * is held (the program saw the old state just before it changed) is written back at once.
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELD_MAX (4u << 20) /* bytes of one pair; more: the attempt is given up */
#define READS_MAX 1024	    /* frames per turn */

/* Tuple and acknowledgement of a frame as read from the device. False: no TCP. */
static bool parse(const uint8_t *frame, size_t len, struct npx_key *key, uint32_t *ack, bool *has_ack)
{
	const uint8_t *eth = frame + NP_TAP_HEAD, *ip = eth + ETH_HLEN;
	const struct tcphdr *tcp;
	uint16_t proto;

	memset(key, 0, sizeof(*key));
	if (len < NP_TAP_HEAD + ETH_HLEN + sizeof(struct ip6_hdr) + sizeof(*tcp))
		return false;
	memcpy(&proto, eth + 12, sizeof(proto));
	if (proto == htons(ETH_P_IP)) {
		key->family = 4;
		memcpy(key->saddr, ip + 12, 4);
		memcpy(key->daddr, ip + 16, 4);
		tcp = (const struct tcphdr *)(ip + sizeof(struct iphdr));
	} else if (proto == htons(ETH_P_IPV6)) {
		key->family = 6;
		memcpy(key->saddr, ip + 8, 16);
		memcpy(key->daddr, ip + 24, 16);
		tcp = (const struct tcphdr *)(ip + sizeof(struct ip6_hdr));
	} else {
		return false;
	}
	memcpy(&key->sport, &tcp->source, sizeof(key->sport));
	memcpy(&key->dport, &tcp->dest, sizeof(key->dport));
	memcpy(ack, (const uint8_t *)tcp + 8, sizeof(*ack));
	*ack = ntohl(*ack);
	*has_ack = ((const uint8_t *)tcp)[13] & TH_ACK;
	return true;
}

static void write_back(struct np_express *x, const uint8_t *data, size_t len)
{
	if (write(x->tap_fd, data, len) < 0)
		np_debug("express: a held segment is lost: %s", strerror(errno));
}

static bool keep(struct np_xattempt *attempt, const uint8_t *data, size_t len)
{
	struct np_xframe *frame;

	if (attempt->frames_len + len > HELD_MAX) {
		attempt->overflow = true;
		return true; /* its sender will send it again */
	}
	frame = malloc(sizeof(*frame) + len);
	if (!frame)
		return true;
	frame->next = NULL;
	frame->len = len;
	memcpy(frame->data, data, len);
	*attempt->frames_end = frame;
	attempt->frames_end = &frame->next;
	attempt->frames_len += len;
	return true;
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
		return; /* nobody but us sends to this device */
	ref = np_xtable_find(&x->table, &key);
	if (!ref || ref->xp->state != NP_X_HELD) {
		write_back(x, data, len);
		return;
	}
	attempt = ref->xp->attempt;
	side = ref == &ref->xp->ref[1];
	x->status.held_frames++;
	keep(attempt, data, len);
	if (has_ack && (!attempt->has_held_ack[side] || (int32_t)(ack - attempt->held_ack[side]) > 0)) {
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
		write_back(x, frame->data, frame->len);
		free(frame);
	}
	attempt->frames_end = &attempt->frames;
	attempt->frames_len = 0;
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
	int ret;

	x->frame = malloc(NP_TAP_FRAME_MAX);
	if (!x->frame)
		return np_fail(err, -ENOMEM, "express: no memory");
	x->tap_fd = np_tap_open(name, &x->tap, err);
	if (x->tap_fd < 0)
		return x->tap_fd;
	ret = np_bpfobj_attach_replay(x->obj, x->tap, err);
	if (ret)
		return ret;
	ev_io_init(&x->tap_io, on_tap, x->tap_fd, EV_READ);
	x->tap_io.data = x;
	ev_io_start(x->splice->loop, &x->tap_io);
	return 0;
}

void np_replay_close(struct np_express *x)
{
	if (ev_is_active(&x->tap_io))
		ev_io_stop(x->splice->loop, &x->tap_io);
	np_fd_close(&x->tap_fd);
	free(x->frame);
	x->frame = NULL;
}
