// SPDX-License-Identifier: BSD-3-Clause
/*
 * The conformance test: every back end goes through the same cases, over real TCP on loopback.
 *
 *	peer[0] ==TCP== fd a | pair | fd b ==TCP== peer[1]
 */
#include "splice/splice.h"

#include "splice_peer.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"
#include "net/sock.h"
#include "splice/ops.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define DUPLEX_BYTES (12u << 20)
#else
#define DUPLEX_BYTES (32u << 20)
#endif
#define SEED_A 11
#define SEED_B 23

static struct ev_loop *loop;
static const char *backend;
static struct np_splice *engine;

struct link {
	struct peer peer[2];
	struct np_pair *pair;
	int inner[2]; /* the pair's descriptors, only to look at */
	bool ended;
	enum np_pair_end end;
	struct np_splice_stats stats;
};

static void on_end(struct np_pair *pair, enum np_pair_end end, const struct np_splice_stats *stats,
		   void *arg)
{
	struct link *link = arg;

	(void)pair;
	link->ended = true;
	link->end = end;
	link->stats = *stats;
	link->pair = NULL;
}

struct setup {
	uint64_t bytes[2];
	int rcvbuf[2]; /* of the peers, 0: the system's */
	unsigned int chunk;
	bool shut, close;
	unsigned int idle_ms;
	struct np_buf *pending[2];
};

static bool link_up(struct link *link, const struct setup *setup)
{
	struct np_pair_params params = {
		.on_end = on_end, .arg = link, .idle_limit_ms = setup->idle_ms};
	int x, fd[2], outer[2] = {-1, -1};
	struct np_err err = NP_ERR_INIT;

	memset(link, 0, sizeof(*link));
	for (x = 0; x < 2; x++) {
		if (tcp_pair(fd, setup->rcvbuf[x])) {
			KTAP_FAILF("no TCP connection: %s", strerror(errno));
			return false;
		}
		/* The accepted end has the receive buffer; it plays the peer. */
		outer[x] = fd[1];
		params.fd[x] = link->inner[x] = fd[0];
		params.pending[x] = setup->pending[x];
	}
	if (np_pair_join(engine, &params, &link->pair, &err)) {
		KTAP_FAILF("join: %s", err.msg);
		return false;
	}
	for (x = 0; x < 2; x++) {
		struct peer *peer = &link->peer[x];

		peer->tx_seed = x ? SEED_B : SEED_A;
		peer->rx_seed = x ? SEED_A : SEED_B;
		peer->tx_total = setup->bytes[x];
		peer->chunk = setup->chunk;
		peer->shut_when_sent = setup->shut;
		peer->close_when_sent = setup->close;
		peer_start(loop, peer, outer[x]);
	}
	return true;
}

static void link_down(struct link *link)
{
	np_pair_kill(link->pair);
	peer_stop(&link->peer[0]);
	peer_stop(&link->peer[1]);
}

static bool link_ended(void *arg)
{
	return ((struct link *)arg)->ended;
}

static bool both_settled(void *arg)
{
	struct link *link = arg;

	return link->ended && (link->peer[0].eof || link->peer[0].reset || link->peer[0].fd < 0) &&
	       (link->peer[1].eof || link->peer[1].reset || link->peer[1].fd < 0);
}

static void expect_orderly(struct link *link, const struct setup *setup)
{
	int x;

	KTAP_OK(loop_until(loop, both_settled, link, 60000));
	KTAP_EQ(link->end, NP_END_EOF);
	for (x = 0; x < 2; x++) {
		KTAP_OK(link->peer[x].eof);
		KTAP_EQ(link->peer[x].rx, setup->bytes[!x]);
		KTAP_EQ(link->peer[x].rx_bad, 0);
		KTAP_EQ(link->stats.bytes[x], setup->bytes[x]);
	}
}

static void duplex(const struct setup *setup)
{
	struct link link;

	if (!link_up(&link, setup))
		return;
	expect_orderly(&link, setup);
	/* Express takes no pair at the start, and none on loopback later. */
	KTAP_OK(link.stats.backend &&
		(!strcmp(backend, "auto") || !strcmp(link.stats.backend, backend) ||
		 (!strcmp(backend, "express") && !strcmp(link.stats.backend, "user"))));
	link_down(&link);
}

static void duplex_random_chunks(void)
{
	duplex(&(struct setup){.bytes = {DUPLEX_BYTES, DUPLEX_BYTES + 4321}, .shut = true});
}

static void duplex_small_windows(void)
{
	duplex(&(struct setup){.bytes = {3000000, 2000000}, .rcvbuf = {4096, 9000}, .shut = true});
}

static void duplex_tiny_chunks(void)
{
	duplex(&(struct setup){.bytes = {60000, 90000}, .chunk = 30, .shut = true});
}

static bool peer_over(void *arg)
{
	const struct peer *peer = arg;

	return peer->eof || peer->reset;
}

/* The writer closes right behind its bytes: none may be lost. */
static void short_connections(void)
{
	int i, w;

	for (i = 0; i < 300 && !ktap_case_bad; i++) {
		struct setup setup = {.bytes = {0, 0}};
		struct link link;

		w = i & 1;
		setup.bytes[w] = peer_random(i % 3 ? 2000 : 300000);
		if (!link_up(&link, &setup))
			return;
		link.peer[w].close_when_sent = true;
		peer_update(&link.peer[w]);
		KTAP_OK(loop_until(loop, peer_over, &link.peer[!w], 10000));
		KTAP_OK(link.peer[!w].eof);
		KTAP_EQ(link.peer[!w].rx, setup.bytes[w]);
		KTAP_EQ(link.peer[!w].rx_bad, 0);
		peer_stop(&link.peer[!w]);
		KTAP_OK(loop_until(loop, link_ended, &link, 10000));
		KTAP_EQ(link.end, NP_END_EOF);
		link_down(&link);
	}
}

/* One side ends its stream; the other sees that, and only then sends, and is heard. */
static void half_close_first(int x)
{
	struct setup setup = {.bytes = {0, 0}};
	struct link link;

	setup.bytes[x] = 150000;
	if (!link_up(&link, &setup))
		return;
	link.peer[x].shut_when_sent = true;
	peer_update(&link.peer[x]);
	KTAP_OK(loop_until(loop, peer_over, &link.peer[!x], 10000));
	KTAP_OK(link.peer[!x].eof);
	KTAP_OK(!link.ended && !link.peer[x].eof && !link.peer[x].reset);
	setup.bytes[!x] = link.peer[!x].tx_total = 3000000;
	link.peer[!x].shut_when_sent = true;
	peer_update(&link.peer[!x]);
	expect_orderly(&link, &setup);
	link_down(&link);
}

static void half_close_a_first(void)
{
	half_close_first(0);
}

static void half_close_b_first(void)
{
	half_close_first(1);
}

struct at_least {
	const struct peer *peer;
	uint64_t rx;
};

static bool has_received(void *arg)
{
	const struct at_least *want = arg;

	return want->peer->rx >= want->rx;
}

static void reset_from(int x)
{
	struct setup setup = {.bytes = {5000, 5000}};
	struct link link;

	if (!link_up(&link, &setup))
		return;
	KTAP_OK(loop_until(loop, has_received, &(struct at_least){&link.peer[0], 5000}, 10000));
	KTAP_OK(loop_until(loop, has_received, &(struct at_least){&link.peer[1], 5000}, 10000));
	peer_reset(&link.peer[x]);
	KTAP_OK(loop_until(loop, both_settled, &link, 10000));
	KTAP_OK(link.peer[!x].reset && !link.peer[!x].eof);
	KTAP_EQ(link.end, x ? NP_END_RESET_B : NP_END_RESET_A);
	link_down(&link);
}

static void reset_from_a(void)
{
	reset_from(0);
}

static void reset_from_b(void)
{
	reset_from(1);
}

static bool all_left_peer(void *arg)
{
	const struct peer *peer = arg;
	int queued = 1;

	return peer->tx == peer->tx_total && !ioctl(peer->fd, SIOCOUTQ, &queued) && !queued;
}

/*
 * Bytes that were sent, then a reset, while the reader pauses: it gets the bytes, then the reset.
 */
static void reset_comes_after_the_bytes(void)
{
	struct setup setup = {.bytes = {400000, 0}, .rcvbuf = {0, 20000}};
	struct link link;

	if (!link_up(&link, &setup))
		return;
	link.peer[1].paused = true;
	peer_update(&link.peer[1]);
	KTAP_OK(loop_until(loop, all_left_peer, &link.peer[0], 10000));
	peer_reset(&link.peer[0]);
	KTAP_OK(!loop_until(loop, link_ended, &link, 100));
	link.peer[1].paused = false;
	peer_update(&link.peer[1]);
	KTAP_OK(loop_until(loop, both_settled, &link, 10000));
	KTAP_EQ(link.peer[1].rx, 400000);
	KTAP_EQ(link.peer[1].rx_bad, 0);
	KTAP_OK(link.peer[1].reset && !link.peer[1].eof);
	KTAP_EQ(link.end, NP_END_RESET_A);
	link_down(&link);
}

/* Nothing has moved for a while. */
static bool inner_is_full(void *arg)
{
	const struct link *link = arg;
	struct np_splice_stats stats;
	static uint64_t last_bytes, last_tx;
	static long long since_ms;

	np_pair_stats(link->pair, &stats);
	if (!since_ms || stats.bytes[0] != last_bytes || link->peer[0].tx != last_tx)
		since_ms = np_clock_mono_ms();
	last_bytes = stats.bytes[0];
	last_tx = link->peer[0].tx;
	return link->peer[0].tx && np_clock_mono_ms() - since_ms >= 150;
}

/*
 * The sender is not read because the reader stalls. Its reset must be noticed all the same, and end
 * the pair.
 */
static void reset_behind_a_stalled_reader(void)
{
	struct setup setup = {.bytes = {1u << 30, 0}};
	struct link link;

	if (!link_up(&link, &setup))
		return;
	link.peer[1].paused = true;
	peer_update(&link.peer[1]);
	KTAP_OK(loop_until(loop, inner_is_full, &link, 10000));
	peer_reset(&link.peer[0]);
	KTAP_OK(loop_until(loop, link_ended, &link, 10000));
	KTAP_EQ(link.end, NP_END_RESET_A);
	link_down(&link);
}

/* How often the loop turns while nothing happens: 5 ms ticks are the test's own. */
static void expect_calm(void)
{
	unsigned int before = ev_iteration(loop);

	loop_until(loop, link_ended, &(struct link){.ended = false}, 100);
	KTAP_OK(ev_iteration(loop) - before < 60);
}

static void stalled_reader(void)
{
	struct setup setup = {.bytes = {48u << 20, 0}, .shut = true};
	struct setup other_setup = {.bytes = {2u << 20, 2u << 20}, .shut = true};
	struct link link, other;

	if (!link_up(&link, &setup))
		return;
	link.peer[1].paused = true;
	peer_update(&link.peer[1]);
	KTAP_OK(loop_until(loop, inner_is_full, &link, 20000));
	KTAP_OK(link.peer[0].tx <= 24u << 20);
	expect_calm();
	if (link_up(&other, &other_setup)) {
		expect_orderly(&other, &other_setup);
		link_down(&other);
	}
	link.peer[1].paused = false;
	peer_update(&link.peer[1]);
	expect_orderly(&link, &setup);
	link_down(&link);
}

/* Both readers stall, both senders push: nothing spins, and afterwards everything arrives. */
static void both_stalled(void)
{
	struct setup setup = {
		.bytes = {16u << 20, 16u << 20}, .rcvbuf = {8192, 8192}, .shut = true};
	struct link link;

	if (!link_up(&link, &setup))
		return;
	link.peer[0].paused = link.peer[1].paused = true;
	peer_update(&link.peer[0]);
	peer_update(&link.peer[1]);
	KTAP_OK(loop_until(loop, inner_is_full, &link, 20000));
	expect_calm();
	link.peer[0].paused = link.peer[1].paused = false;
	peer_update(&link.peer[0]);
	peer_update(&link.peer[1]);
	expect_orderly(&link, &setup);
	link_down(&link);
}

/*
 * Bytes read before the join come first, whether there are many or few, also when the socket has
 * ended already.
 */
static void pending_first(void)
{
	static const size_t sizes[] = {1, 5000, 900000};
	size_t i, x;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct np_buf pending[2] = {NP_BUF_INIT, NP_BUF_INIT};
		struct setup setup = {.bytes = {70000, 0},
				      .rcvbuf = {0, 9000},
				      .shut = true,
				      .pending = {&pending[0], &pending[1]}};
		struct link link;

		for (x = 0; x < 2; x++) {
			peer_fill(x ? SEED_B : SEED_A, 0, np_buf_reserve(&pending[x], sizes[i]),
				  sizes[i]);
			np_buf_commit(&pending[x], sizes[i]);
		}
		if (!link_up(&link, &setup))
			return;
		KTAP_OK(!pending[0].data && !pending[1].data);
		/* The peers' own bytes continue the streams. */
		for (x = 0; x < 2; x++) {
			link.peer[x].tx = sizes[i];
			link.peer[x].tx_total += sizes[i];
			setup.bytes[x] += sizes[i];
			peer_update(&link.peer[x]);
		}
		expect_orderly(&link, &setup);
		link_down(&link);
	}
}

static void urgent_bytes_stay_in_the_stream(void)
{
	struct setup setup = {.bytes = {0, 0}};
	struct link link;
	uint8_t data[1000];
	int i;

	if (!link_up(&link, &setup))
		return;
	for (i = 0; i < 200; i++) {
		peer_fill(SEED_A, (uint64_t)i * sizeof(data), data, sizeof(data));
		KTAP_EQ(send(link.peer[0].fd, data, sizeof(data), i % 3 ? 0 : MSG_OOB),
			sizeof(data));
		if (i % 7 == 0) {
			uint64_t want = (uint64_t)(i + 1) * sizeof(data);

			KTAP_OK(loop_until(loop, has_received,
					   &(struct at_least){&link.peer[1], want}, 10000));
			if (ktap_case_bad)
				break;
		}
	}
	expect_calm();
	setup.bytes[0] = sizeof(data) * 200;
	link.peer[0].shut_when_sent = link.peer[1].shut_when_sent = true;
	peer_update(&link.peer[0]);
	peer_update(&link.peer[1]);
	expect_orderly(&link, &setup);
	link_down(&link);
}

static bool all_over(void *arg)
{
	struct link *links = arg;
	int i;

	for (i = 0; i < 1000; i++) {
		if (!both_settled(&links[i]))
			return false;
	}
	return true;
}

static void pairs_1000(void)
{
	struct setup setup = {.bytes = {3000, 70000}, .shut = true};
	struct link *links = calloc(1000, sizeof(*links));
	struct rlimit rl;
	int i, up = 0;

	getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur < 4100) {
		free(links);
		KTAP_SKIP("the descriptor limit is below 4100");
	}
	while (up < 1000 && link_up(&links[up], &setup))
		up++;
	KTAP_EQ(up, 1000);
	if (up == 1000)
		KTAP_OK(loop_until(loop, all_over, links, 60000));
	for (i = 0; i < up; i++) {
		KTAP_EQ(links[i].end, NP_END_EOF);
		KTAP_EQ(links[i].peer[0].rx, 70000);
		KTAP_EQ(links[i].peer[1].rx, 3000);
		KTAP_EQ(links[i].peer[0].rx_bad + links[i].peer[1].rx_bad, 0);
		link_down(&links[i]);
	}
	free(links);
}

static void idle_limit(void)
{
	struct setup setup = {.bytes = {0, 0}, .idle_ms = 1000};
	struct link link;
	int i;

	if (!link_up(&link, &setup))
		return;
	for (i = 0; i < 6; i++) { /* 1800 ms of life; a busy machine may add 700 ms to a step */
		link.peer[0].tx_total += 10;
		peer_update(&link.peer[0]);
		KTAP_OK(!loop_until(loop, link_ended, &link, 300));
	}
	KTAP_OK(loop_until(loop, both_settled, &link, 5000));
	KTAP_EQ(link.end, NP_END_IDLE);
	KTAP_EQ(link.stats.bytes[0], 60);
	KTAP_OK(link.peer[0].reset && link.peer[1].reset);
	link_down(&link);
}

static bool both_reset(void *arg)
{
	const struct link *link = arg;

	return link->peer[0].reset && link->peer[1].reset;
}

static void kill_in_mid_stream(void)
{
	struct setup setup = {.bytes = {1u << 30, 1u << 30}};
	struct link link;

	if (!link_up(&link, &setup))
		return;
	KTAP_OK(loop_until(loop, has_received, &(struct at_least){&link.peer[1], 1u << 20}, 10000));
	np_pair_kill(link.pair);
	link.pair = NULL;
	KTAP_OK(loop_until(loop, both_reset, &link, 10000));
	KTAP_OK(!link.ended);
	link_down(&link);
}

/* No descriptor is left for a pipe: bytes move all the same. */
static void descriptors_exhausted(void)
{
	struct setup setup = {.bytes = {6u << 20, 6u << 20}, .shut = true};
	struct rlimit old, tight;
	struct link link;

	np_splice_free(engine); /* a new one has no pipe in its pool */
	KTAP_EQ(np_splice_new(loop, backend, &engine, NULL), 0);
	if (!link_up(&link, &setup))
		return;
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	tight.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &tight);
	expect_orderly(&link, &setup);
	setrlimit(RLIMIT_NOFILE, &old);
	link_down(&link);
}

static void ends_that_come_before_the_join(void)
{
	struct np_pair_params params = {.on_end = on_end};
	struct link link = {.ended = false};
	int a[2], b[2];

	if (tcp_pair(a, 0) || tcp_pair(b, 0)) {
		KTAP_FAILF("no TCP connections");
		return;
	}
	np_sock_reset(&a[0]);
	params.fd[0] = a[1];
	params.fd[1] = b[1];
	params.arg = &link;
	KTAP_EQ(np_pair_join(engine, &params, &link.pair, NULL), 0);
	KTAP_OK(!link.ended);
	KTAP_OK(loop_until(loop, link_ended, &link, 5000));
	KTAP_EQ(link.end, NP_END_RESET_A);
	np_fd_close(&b[0]);
}

static void unknown_backend_is_refused(void)
{
	struct np_err err = NP_ERR_INIT;
	struct np_splice *none = NULL;

	KTAP_EQ(np_splice_new(loop, "teleport", &none, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, "teleport") && !none);
}

static void count_usable(const char *name, const struct np_err *err, void *arg)
{
	printf("# %s: %s\n", name, err->code ? err->msg : "usable");
	*(int *)arg += !err->code;
}

static void names_are_the_backends(void)
{
	int usable = 0, names = 0, i, j;

	np_splice_probe_each(count_usable, &usable);
	KTAP_OK(usable > 0);
	KTAP_STREQ(np_splice_names[0], "auto");
	for (i = 1; np_splice_names[i]; i++) {
		for (j = 0; np_splice_backends[j]; j++)
			names += !strcmp(np_splice_names[i], np_splice_backends[j]->name);
	}
	for (j = 0; np_splice_backends[j]; j++)
		names--;
	KTAP_EQ(names, 0);
	KTAP_EQ(i - 1, j);
}

static void run(const char *what, void (*fn)(void))
{
	char name[80];

	snprintf(name, sizeof(name), "%s: %s", backend, what);
	ktap_run(name, fn);
}
#define RUN(fn) run(#fn, fn)

static void conformance(void)
{
	RUN(duplex_random_chunks);
	RUN(duplex_small_windows);
	RUN(duplex_tiny_chunks);
	RUN(short_connections);
	RUN(half_close_a_first);
	RUN(half_close_b_first);
	RUN(reset_from_a);
	RUN(reset_from_b);
	RUN(reset_comes_after_the_bytes);
	RUN(reset_behind_a_stalled_reader);
	RUN(stalled_reader);
	RUN(both_stalled);
	RUN(pending_first);
	RUN(urgent_bytes_stay_in_the_stream);
	RUN(pairs_1000);
	RUN(idle_limit);
	RUN(kill_in_mid_stream);
	RUN(descriptors_exhausted);
	RUN(ends_that_come_before_the_join);
}

int main(void)
{
	int i;

	loop = ev_default_loop(0);
	KTAP_RUN(unknown_backend_is_refused);
	KTAP_RUN(names_are_the_backends);
	for (i = 0; np_splice_names[i]; i++) {
		backend = np_splice_names[i];
		if (np_splice_new(loop, backend, &engine, NULL))
			continue; /* names_are_the_backends says why */
		if (i == 0)
			RUN(duplex_random_chunks); /* "auto" is one of the others */
		else
			conformance();
		np_splice_free(engine);
	}
	return ktap_done();
}
