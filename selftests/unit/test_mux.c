// SPDX-License-Identifier: BSD-3-Clause
/*
 * A session of many connections, both ends in one loop, with a relay between that pairs by order
 * alone and a target that echoes:
 *
 *	programs --> mux (client) --> relay a|b <-- mux (daemon) --> target
 */
#include "noports/mux.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"
#include "net/listen.h"
#include "net/sock.h"
#include "splice/splice.h"

#include <ev.h>

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS 256

static struct ev_loop *loop;

static void stop_loop(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(l, EVBREAK_ONE);
}

/* Turns the loop until the condition holds; a deadline fails the case. */
#define UNTIL(cond)                                                                                \
	do {                                                                                       \
		ev_timer until_t;                                                                  \
		long long until_ms = np_clock_mono_ms() + 10000;                                   \
		ev_timer_init(&until_t, stop_loop, 0.01, 0.01);                                    \
		ev_timer_start(loop, &until_t);                                                    \
		while (!(cond) && np_clock_mono_ms() < until_ms)                                   \
			ev_run(loop, EVRUN_ONCE);                                                  \
		ev_timer_stop(loop, &until_t);                                                     \
		if (!(cond))                                                                       \
			KTAP_FAILF("not within 10 s: %s", #cond);                                  \
	} while (0)

/* ---- relay: two ports, first come first paired; holding back is how a test looks in ---- */

static struct relay {
	struct np_listener *listener[2];
	struct np_splice *splice;
	int queue[2][FDS];
	unsigned int nr[2], paired;
	struct np_pair *pairs[FDS];
	bool hold; /* pair nothing after the control sockets */
} relay;

static void on_pair_end(struct np_pair *pair, enum np_pair_end how,
			const struct np_splice_stats *stats, void *arg)
{
	(void)pair;
	(void)how;
	(void)stats;
	*(struct np_pair **)arg = NULL;
}

static void relay_match(void)
{
	while (relay.paired < relay.nr[0] && relay.paired < relay.nr[1] &&
	       !(relay.hold && relay.paired)) {
		struct np_pair_params params = {
			.fd = {relay.queue[0][relay.paired], relay.queue[1][relay.paired]},
			.on_end = on_pair_end,
			.arg = &relay.pairs[relay.paired],
		};

		KTAP_EQ(np_pair_join(relay.splice, &params, &relay.pairs[relay.paired], NULL), 0);
		relay.paired++;
	}
}

static void on_relay_accept(int fd, const struct np_addr *peer, void *arg)
{
	unsigned int side = arg ? 1 : 0;

	(void)peer;
	relay.queue[side][relay.nr[side]++] = fd;
	relay_match();
}

static uint16_t relay_port(unsigned int side)
{
	return np_listener_port(relay.listener[side]);
}

static void relay_open(void)
{
	unsigned int i;

	memset(&relay, 0, sizeof(relay));
	KTAP_EQ(np_splice_new(loop, "copy", &relay.splice, NULL), 0);
	for (i = 0; i < 2; i++)
		np_listener_open(loop, np_sock_listen("127.0.0.1", 0, 128, NULL), "relay",
				 on_relay_accept, i ? &relay : NULL, &relay.listener[i]);
}

static void relay_close(void)
{
	unsigned int i, side;

	for (i = 0; i < FDS; i++)
		np_pair_kill(relay.pairs[i]);
	for (side = 0; side < 2; side++) {
		np_listener_close(relay.listener[side]);
		for (i = relay.paired; i < relay.nr[side]; i++)
			np_fd_close(&relay.queue[side][i]);
	}
	np_splice_free(relay.splice);
}

/* ---- target: echoes; programs: send and collect ---- */

struct echo {
	ev_io io;
	int fd;
};
static struct echo echoes[FDS];
static unsigned int nr_echoes;
static struct np_listener *target;

static void echo_cb(struct ev_loop *l, ev_io *w, int revents)
{
	char buf[4096];
	ssize_t n = recv(w->fd, buf, sizeof(buf), 0);
	struct echo *e = w->data;

	(void)revents;
	if (n > 0) {
		KTAP_EQ(send(w->fd, buf, (size_t)n, MSG_NOSIGNAL), n);
	} else if (n == 0 || errno != EAGAIN) {
		ev_io_stop(l, w);
		np_fd_close(&e->fd);
	}
}

static void on_target(int fd, const struct np_addr *peer, void *arg)
{
	struct echo *e = &echoes[nr_echoes++];

	(void)peer;
	(void)arg;
	e->fd = fd;
	ev_io_init(&e->io, echo_cb, fd, EV_READ);
	e->io.data = e;
	ev_io_start(loop, &e->io);
}

static void target_open(void)
{
	nr_echoes = 0;
	np_listener_open(loop, np_sock_listen("127.0.0.1", 0, 128, NULL), "target", on_target, NULL,
			 &target);
}

static void target_close(void)
{
	while (nr_echoes--) {
		ev_io_stop(loop, &echoes[nr_echoes].io);
		np_fd_close(&echoes[nr_echoes].fd);
	}
	np_listener_close(target);
	target = NULL;
}

static int program(uint16_t port)
{
	struct np_addr addr;

	np_addr_parse("127.0.0.1", port, &addr);
	return np_sock_connect_start(&addr);
}

/* Return: has exactly @text come? -1 on the end of the stream. */
static int has_come(int fd, const char *text)
{
	char buf[64];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return -1;
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

static void say(int fd, const char *text)
{
	long long until_ms = np_clock_mono_ms() + 10000;
	ssize_t n;

	do {
		n = send(fd, text, strlen(text), MSG_NOSIGNAL);
		if (n < 0)
			ev_run(loop, EVRUN_NOWAIT);
	} while (n < 0 && np_clock_mono_ms() < until_ms);
	KTAP_EQ(n, strlen(text));
}

/* ---- the subjects ---- */

struct subject {
	struct np_mux *mux;
	unsigned int nr_ready, nr_end;
	uint16_t port;
	struct np_err err;
};
static struct subject client, device;
static struct np_session_keys keys;

static void on_ready(struct np_mux *mux, uint16_t port, void *arg)
{
	struct subject *s = arg;

	(void)mux;
	s->nr_ready++;
	s->port = port;
}

static void on_end(struct np_mux *mux, const struct np_err *err, void *arg)
{
	struct subject *s = arg;

	s->nr_end++;
	s->err = *err;
	np_mux_close(mux);
	s->mux = NULL;
}

static int open_side(struct subject *s, enum np_bridge_side side, uint16_t port,
		     uint64_t timeout_ms)
{
	struct np_mux_params params = {
		.loop = loop,
		.side = side,
		.relay_host = "127.0.0.1",
		.relay_port = relay_port(side == NP_BRIDGE_DAEMON),
		.local_host = "127.0.0.1",
		.local_port = port,
		.keys = &keys,
		.timeout_ms = timeout_ms,
		.heartbeat_ms = 5,
		.on_ready = on_ready,
		.on_end = on_end,
		.arg = s,
	};

	memset(s, 0, sizeof(*s));
	return np_mux_open(&params, &s->mux, &s->err);
}

/* @mode: 0 clear, 1 one key, 2 twin keys */
static void set_up(int mode, uint64_t timeout_ms)
{
	np_session_keys_fini(&keys);
	if (mode)
		KTAP_EQ(np_session_keys_generate(mode == 2, &keys), 0);
	relay_open();
	target_open();
	KTAP_EQ(open_side(&device, NP_BRIDGE_DAEMON, np_listener_port(target), timeout_ms), 0);
	KTAP_EQ(open_side(&client, NP_BRIDGE_CLIENT, 0, timeout_ms), 0);
	UNTIL(client.nr_ready && device.nr_ready);
}

static void tear_down(void)
{
	np_mux_close(client.mux);
	np_mux_close(device.mux);
	client.mux = device.mux = NULL;
	if (target)
		target_close();
	relay_close();
	np_session_keys_fini(&keys);
}

/* ---- cases ---- */

static void many_at_once(int mode, unsigned int nr)
{
	char text[32];
	int fds[100];
	unsigned int i;

	set_up(mode, 60000);
	for (i = 0; i < nr; i++)
		fds[i] = program(client.port);
	for (i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "program %u says so", i);
		say(fds[i], text);
	}
	for (i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "program %u says so", i);
		UNTIL(has_come(fds[i], text));
		KTAP_EQ(has_come(fds[i], text), 1);
	}
	KTAP_EQ(np_mux_open_pairs(client.mux), nr);
	KTAP_EQ(np_mux_open_pairs(device.mux), nr);
	for (i = 0; i < nr; i++)
		np_fd_close(&fds[i]);
	UNTIL(!np_mux_open_pairs(client.mux) && !np_mux_open_pairs(device.mux));
	KTAP_EQ(client.nr_end + device.nr_end, 0);
	tear_down();
}

static void a_hundred_at_once_with_twin_keys(void)
{
	many_at_once(2, 100);
}
static void many_with_one_key(void)
{
	many_at_once(1, 10);
}
static void many_in_clear(void)
{
	many_at_once(0, 10);
}

static void connect_messages_are_paced(void)
{
	long long began, took;
	int fds[6];
	unsigned int i;

	set_up(2, 60000);
	began = np_clock_mono_ms();
	for (i = 0; i < 6; i++)
		fds[i] = program(client.port);
	UNTIL(nr_echoes == 6);
	took = np_clock_mono_ms() - began;
	KTAP_OK(took >= 5 * 20 - 5);
	for (i = 0; i < 6; i++)
		np_fd_close(&fds[i]);
	tear_down();
}

/* A connection that has brought a byte is paired: the next one need not wait. */
static void a_paired_connection_holds_nobody_up(void)
{
	long long began;
	unsigned int i;
	int fd;

	set_up(2, 60000);
	began = np_clock_mono_ms();
	for (i = 0; i < 40; i++) {
		fd = program(client.port);
		say(fd, "x");
		UNTIL(has_come(fd, "x"));
		np_fd_close(&fd);
	}
	KTAP_OK(np_clock_mono_ms() - began < 39 * 20);
	tear_down();
}

static void half_close_keeps_the_other_way_open(void)
{
	int fd;

	set_up(2, 60000);
	fd = program(client.port);
	say(fd, "last words");
	shutdown(fd, SHUT_WR);
	UNTIL(has_come(fd, "last words"));
	KTAP_EQ(has_come(fd, "last words"), 1);
	np_fd_close(&fd);
	tear_down();
}

static void a_target_that_refuses_ends_one_connection(void)
{
	int fd;

	set_up(2, 60000);
	target_close();
	fd = program(client.port);
	say(fd, "anybody?");
	UNTIL(has_come(fd, "") == -1);
	np_fd_close(&fd);
	UNTIL(!np_mux_open_pairs(client.mux) && !np_mux_open_pairs(device.mux));
	KTAP_EQ(client.nr_end + device.nr_end, 0);
	tear_down();
}

static void a_program_that_comes_and_goes(void)
{
	unsigned int i;
	int fd;

	set_up(2, 60000);
	for (i = 0; i < 5; i++) {
		fd = program(client.port);
		if (i % 2)
			np_sock_reset(&fd);
		np_fd_close(&fd);
	}
	fd = program(client.port);
	say(fd, "still right");
	UNTIL(has_come(fd, "still right"));
	KTAP_EQ(has_come(fd, "still right"), 1);
	np_fd_close(&fd);
	tear_down();
}

static void timeout_counts_from_the_start(void)
{
	long long began;
	int fd;

	set_up(2, 400);
	began = np_clock_mono_ms();
	fd = program(client.port);
	say(fd, "x");
	UNTIL(has_come(fd, "x"));
	UNTIL(np_clock_mono_ms() - began > 700);
	KTAP_EQ(client.nr_end + device.nr_end, 0);
	np_fd_close(&fd);
	UNTIL(client.nr_end && device.nr_end);
	KTAP_EQ(client.err.code, 0);
	KTAP_EQ(device.err.code, 0);
	tear_down();
	set_up(2, 100);
	UNTIL(client.nr_end && device.nr_end);
	KTAP_EQ(client.err.code, 0);
	KTAP_EQ(device.err.code, 0);
	tear_down();
}

static void the_control_socket_is_the_session(void)
{
	char c;
	int fd;

	set_up(2, 60000);
	fd = program(client.port);
	say(fd, "x");
	UNTIL(has_come(fd, "x"));
	KTAP_EQ(recv(fd, &c, 1, 0), 1);
	np_pair_kill(relay.pairs[0]);
	relay.pairs[0] = NULL;
	UNTIL(client.nr_end && device.nr_end);
	KTAP_EQ(client.err.code, -ECONNRESET);
	/* What was cut off does not look complete. */
	KTAP_EQ(recv(fd, &c, 1, 0), -1);
	KTAP_EQ(errno, ECONNRESET);
	np_fd_close(&fd);
	tear_down();
}

static void a_relay_socket_that_dies_unpaired_ends_the_session(void)
{
	int fd;

	set_up(2, 60000);
	relay.hold = true;
	fd = program(client.port);
	say(fd, "for nobody else");
	UNTIL(relay.nr[0] == 2 && relay.nr[1] == 2);
	np_sock_reset(&relay.queue[0][1]);
	UNTIL(client.nr_end);
	KTAP_EQ(client.err.code, -ECONNABORTED);
	np_fd_close(&fd);
	tear_down();
}

static void a_device_floods_are_bounded(void)
{
	static char flood[16 * 1024];
	unsigned int i;
	int fd;

	np_session_keys_fini(&keys);
	relay_open();
	target_open();
	KTAP_EQ(open_side(&device, NP_BRIDGE_DAEMON, np_listener_port(target), 60000), 0);
	fd = program(relay_port(0));
	UNTIL(device.nr_ready && relay.paired == 1);
	memset(flood, 'x', sizeof(flood) - 1);
	say(fd, flood);
	UNTIL(device.nr_end);
	KTAP_EQ(device.err.code, -EMSGSIZE);
	np_fd_close(&fd);
	tear_down();

	/* Well-formed ones wait for each other. */
	relay_open();
	target_open();
	KTAP_EQ(open_side(&device, NP_BRIDGE_DAEMON, np_listener_port(target), 60000), 0);
	fd = program(relay_port(0));
	UNTIL(device.nr_ready && relay.paired == 1);
	for (i = 0; i < 150; i++)
		say(fd, "connect:no:encrypt\n");
	UNTIL(nr_echoes >= 150);
	KTAP_EQ(np_mux_open_pairs(device.mux), 150);
	np_fd_close(&fd);
	UNTIL(device.nr_end);
	tear_down();
}

static void failures_name_the_hop(void)
{
	struct np_addr addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	np_addr_parse("127.0.0.1", 0, &addr);
	KTAP_EQ(bind(fd, (struct sockaddr *)&addr.ss, addr.len), 0);
	np_sock_local(fd, &addr);
	relay_open();
	KTAP_OK(open_side(&client, NP_BRIDGE_CLIENT, np_listener_port(relay.listener[0]), 1000) <
		0);
	KTAP_OK(strstr(client.err.msg, "cannot listen"));
	relay_close();
	memset(&relay, 0, sizeof(relay));
	np_listener_open(loop, fd, "relay", on_relay_accept, NULL, &relay.listener[0]);
	KTAP_EQ(open_side(&client, NP_BRIDGE_CLIENT, 0, 1000), 0);
	np_listener_close(relay.listener[0]);
	UNTIL(client.nr_end);
	KTAP_EQ(client.nr_ready, 0);
	KTAP_OK(strstr(client.err.msg, "relay: 127.0.0.1"));
}

int main(void)
{
	loop = ev_default_loop(0);
	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	KTAP_RUN(a_hundred_at_once_with_twin_keys);
	KTAP_RUN(many_with_one_key);
	KTAP_RUN(many_in_clear);
	KTAP_RUN(connect_messages_are_paced);
	KTAP_RUN(a_paired_connection_holds_nobody_up);
	KTAP_RUN(half_close_keeps_the_other_way_open);
	KTAP_RUN(a_target_that_refuses_ends_one_connection);
	KTAP_RUN(a_program_that_comes_and_goes);
	KTAP_RUN(timeout_counts_from_the_start);
	KTAP_RUN(the_control_socket_is_the_session);
	KTAP_RUN(a_relay_socket_that_dies_unpaired_ends_the_session);
	KTAP_RUN(a_device_floods_are_bounded);
	KTAP_RUN(failures_name_the_hop);
	return ktap_done();
}
