// SPDX-License-Identifier: BSD-3-Clause
/*
 * The bridge with a test in the place of relay, local program and target, all in one loop: what is
 * on the wire, who connects when, and how it ends.
 */
#include "noports/bridge.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/aesctr.h"
#include "crypto/rand.h"
#include "harness/ktap.h"
#include "net/sock.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ev_loop *loop;

/* ---- a peer: sends @out, collects @in ---- */

struct peer {
	ev_io io;
	int fd; /* -1 until connected */
	struct np_buf out, in;
	size_t limit;	/* stop reading at so many bytes, 0: never */
	bool shut, eof; /* shut: half-close after @out */
	int error;
};

static void peer_update(struct peer *p)
{
	bool want_read = !p->eof && (!p->limit || p->in.len < p->limit);
	int events = (want_read ? EV_READ : 0) | (p->out.len || p->shut ? EV_WRITE : 0);

	ev_io_stop(loop, &p->io);
	if (p->fd < 0 || p->error)
		return;
	ev_io_set(&p->io, p->fd, events);
	if (events)
		ev_io_start(loop, &p->io);
}

static void peer_cb(struct ev_loop *l, ev_io *w, int revents)
{
	struct peer *p = w->data;
	uint8_t buf[30000];
	ssize_t n;

	(void)l;
	if (revents & EV_READ) {
		n = read(p->fd, buf,
			 p->limit && p->limit - p->in.len < sizeof(buf) ? p->limit - p->in.len
									: sizeof(buf));
		if (n > 0)
			np_buf_append(&p->in, buf, (size_t)n);
		else if (n == 0)
			p->eof = true;
		else if (errno != EAGAIN)
			p->error = errno;
	}
	if (revents & EV_WRITE && p->out.len) {
		size_t part = 1 + (size_t)rand() % 50000;

		n = send(p->fd, p->out.data, part < p->out.len ? part : p->out.len,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			np_buf_consume(&p->out, (size_t)n);
		else if (errno != EAGAIN)
			p->error = errno;
	}
	if (revents & EV_WRITE && !p->out.len && p->shut) {
		shutdown(p->fd, SHUT_WR);
		p->shut = false;
	}
	peer_update(p);
}

static void peer_attach(struct peer *p, int fd)
{
	p->fd = fd;
	np_fd_set_nonblock(fd);
	ev_io_init(&p->io, peer_cb, fd, EV_READ);
	p->io.data = p;
	peer_update(p);
}

static void peer_fini(struct peer *p)
{
	if (p->fd >= 0)
		ev_io_stop(loop, &p->io);
	np_fd_close(&p->fd);
	np_buf_fini(&p->out);
	np_buf_fini(&p->in);
}

/* ---- a server socket whose first connection becomes a peer ---- */

struct server {
	ev_io io;
	int fd;
	uint16_t port;
	unsigned int accepted;
	struct peer peer;
};

static void server_cb(struct ev_loop *l, ev_io *w, int revents)
{
	struct server *s = w->data;
	int fd = np_sock_accept(s->fd, NULL);

	(void)l;
	(void)revents;
	if (fd < 0)
		return;
	if (s->accepted++)
		np_fd_close(&fd);
	else
		peer_attach(&s->peer, fd);
}

static void server_open(struct server *s)
{
	struct np_addr addr;

	memset(s, 0, sizeof(*s));
	s->peer.fd = -1;
	s->fd = np_sock_listen("127.0.0.1", 0, 4, NULL);
	np_sock_local(s->fd, &addr);
	s->port = np_addr_port(&addr);
	ev_io_init(&s->io, server_cb, s->fd, EV_READ);
	s->io.data = s;
	ev_io_start(loop, &s->io);
}

static void server_fini(struct server *s)
{
	ev_io_stop(loop, &s->io);
	np_fd_close(&s->fd);
	peer_fini(&s->peer);
}

/* A port that refuses: bound, so that nobody else gets it, and not listening. */
static int refusing_port(uint16_t *port)
{
	struct np_addr addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	np_addr_parse("127.0.0.1", 0, &addr);
	if (bind(fd, (struct sockaddr *)&addr.ss, addr.len) < 0)
		return -1;
	np_sock_local(fd, &addr);
	*port = np_addr_port(&addr);
	return fd;
}

static int connect_to(uint16_t port)
{
	struct np_addr addr;

	np_addr_parse("127.0.0.1", port, &addr);
	return np_sock_connect_start(&addr);
}

static int connect_blocking(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), code = 0;
	struct np_addr addr;

	np_addr_parse("127.0.0.1", port, &addr);
	if (connect(fd, (struct sockaddr *)&addr.ss, addr.len) < 0)
		code = errno;
	np_fd_close(&fd);
	return code;
}

/* ---- the bridge under test ---- */

struct subject {
	struct np_bridge *bridge;
	unsigned int nr_ready, nr_end;
	uint16_t port;
	struct np_err err;
};

static void on_ready(struct np_bridge *bridge, uint16_t port, void *arg)
{
	struct subject *s = arg;

	(void)bridge;
	s->nr_ready++;
	s->port = port;
}

static void on_end(struct np_bridge *bridge, const struct np_err *err, void *arg)
{
	struct subject *s = arg;

	s->nr_end++;
	s->err = *err;
	np_bridge_close(bridge);
	s->bridge = NULL;
}

static int open_subject(struct subject *s, struct np_bridge_params *params)
{
	memset(s, 0, sizeof(*s));
	params->loop = loop;
	params->relay_host = "127.0.0.1";
	params->on_ready = on_ready;
	params->on_end = on_end;
	params->arg = s;
	return np_bridge_open(params, &s->bridge, &s->err);
}

static void stop_loop(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(l, EVBREAK_ONE);
}

/* Turns the loop until *@what reaches @value; a deadline fails the case. */
#define UNTIL(cond)                                                                                \
	do {                                                                                       \
		ev_timer until_t;                                                                  \
		bool until_late = false;                                                           \
		ev_now_update(loop);                                                               \
		ev_timer_init(&until_t, stop_loop, 10., 0.);                                       \
		ev_timer_start(loop, &until_t);                                                    \
		while (!(cond) && !until_late) {                                                   \
			ev_run(loop, EVRUN_ONCE);                                                  \
			until_late = !ev_is_active(&until_t);                                      \
		}                                                                                  \
		ev_timer_stop(loop, &until_t);                                                     \
		if (!(cond))                                                                       \
			KTAP_FAILF("not within 10 s: %s", #cond);                                  \
	} while (0)

static void fill(struct np_buf *buf, size_t len, unsigned int seed)
{
	uint8_t *room = np_buf_reserve(buf, len);
	size_t i;

	for (i = 0; i < len; i++)
		room[i] = (uint8_t)((i * 2654435761u >> 13) + seed);
	np_buf_commit(buf, len);
}

static bool holds(const struct np_buf *buf, size_t skip, size_t len, unsigned int seed)
{
	struct np_buf want = NP_BUF_INIT;
	bool same;

	fill(&want, len, seed);
	same = buf->len == skip + len && !memcmp(buf->data + skip, want.data, len);
	np_buf_fini(&want);
	return same;
}

static void xor_with(const struct np_secret *key, const struct np_secret *iv, struct np_buf *buf,
		     size_t skip)
{
	struct np_aesctr *ctr = NULL;

	np_aesctr_new(key->data, iv->data, &ctr);
	np_aesctr_xor(ctr, buf->data + skip, buf->len - skip);
	np_aesctr_free(ctr);
}

#define AUTH "{\"payload\":{\"sessionId\":\"s\"},\"signature\":\"x\"}"
#define BULK (3u << 20)

/* Daemon side, both directions at once: auth line in clear, keystream from the first byte behind
 * it. */
static void daemon_side(bool twin, size_t len)
{
	struct np_session_keys keys = { 0 };
	struct server relay, target;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_DAEMON,
					   .local = NP_LOCAL_CONNECT,
					   .auth_line = AUTH,
					   .local_host = "localhost",
					   .keys = &keys };

	np_session_keys_generate(twin, &keys);
	server_open(&relay);
	server_open(&target);
	params.relay_port = relay.port;
	params.local_port = target.port;
	KTAP_EQ(open_subject(&s, &params), 0);
	fill(&target.peer.out, len, 1);
	fill(&relay.peer.out, len + 7, 2);
	xor_with(&keys.key_c2d, &keys.iv_c2d, &relay.peer.out, 0);
	UNTIL(s.nr_ready && relay.peer.in.len >= sizeof(AUTH));
	KTAP_OK(!memcmp(relay.peer.in.data, AUTH "\n", sizeof(AUTH)));
	target.peer.shut = relay.peer.shut = true;
	peer_update(&target.peer);
	peer_update(&relay.peer);
	UNTIL(s.nr_end);
	UNTIL(relay.peer.eof && target.peer.eof);
	KTAP_EQ(s.err.code, 0);
	KTAP_OK(holds(&target.peer.in, 0, len + 7, 2));
	xor_with(&keys.key_d2c, &keys.iv_d2c, &relay.peer.in, sizeof(AUTH));
	KTAP_OK(holds(&relay.peer.in, sizeof(AUTH), len, 1));
	server_fini(&relay);
	server_fini(&target);
	np_session_keys_fini(&keys);
}

static void daemon_side_twin_keys(void)
{
	daemon_side(true, BULK);
}

static void daemon_side_single_key(void)
{
	daemon_side(false, 100001);
}

/* The relay is not bothered before a local program is there; afterwards nobody else gets in. */
static void client_side_listens_for_one(void)
{
	struct np_session_keys keys = { 0 };
	struct server relay;
	struct subject s;
	struct peer app = { .fd = -1 };
	struct np_bridge_params params = { .side = NP_BRIDGE_CLIENT,
					   .local = NP_LOCAL_LISTEN,
					   .auth_line = AUTH,
					   .keys = &keys,
					   .timeout_ms = 10000 };

	np_session_keys_generate(true, &keys);
	server_open(&relay);
	params.relay_port = relay.port;
	KTAP_EQ(open_subject(&s, &params), 0);
	KTAP_EQ(s.nr_ready, 0);
	UNTIL(s.nr_ready);
	KTAP_OK(s.port != 0);
	ev_run(loop, EVRUN_NOWAIT);
	KTAP_EQ(relay.accepted, 0);
	peer_attach(&app, connect_to(s.port));
	fill(&app.out, BULK, 3);
	app.shut = true;
	peer_update(&app);
	UNTIL(relay.peer.in.len >= sizeof(AUTH));
	KTAP_EQ(connect_blocking(s.port), ECONNREFUSED);
	fill(&relay.peer.out, BULK, 4);
	xor_with(&keys.key_d2c, &keys.iv_d2c, &relay.peer.out, 0);
	relay.peer.shut = true;
	peer_update(&relay.peer);
	UNTIL(s.nr_end && app.eof && relay.peer.eof);
	KTAP_EQ(s.err.code, 0);
	KTAP_EQ(relay.accepted, 1);
	KTAP_OK(holds(&app.in, 0, BULK, 4));
	xor_with(&keys.key_c2d, &keys.iv_c2d, &relay.peer.in, sizeof(AUTH));
	KTAP_OK(holds(&relay.peer.in, sizeof(AUTH), BULK, 3));
	peer_fini(&app);
	server_fini(&relay);
	np_session_keys_fini(&keys);
}

static void unencrypted_session(void)
{
	struct np_session_keys none = { 0 };
	struct server relay, target;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_DAEMON,
					   .local = NP_LOCAL_CONNECT,
					   .local_host = "127.0.0.1",
					   .keys = &none };

	server_open(&relay);
	server_open(&target);
	params.relay_port = relay.port;
	params.local_port = target.port;
	KTAP_EQ(open_subject(&s, &params), 0);
	fill(&target.peer.out, BULK, 5);
	fill(&relay.peer.out, 99, 6);
	target.peer.shut = relay.peer.shut = true;
	UNTIL(s.nr_end && relay.peer.eof && target.peer.eof);
	KTAP_EQ(s.nr_ready, 1);
	KTAP_EQ(s.err.code, 0);
	KTAP_OK(holds(&relay.peer.in, 0, BULK, 5));
	KTAP_OK(holds(&target.peer.in, 0, 99, 6));
	server_fini(&relay);
	server_fini(&target);
}

/* A reader that stops makes the other end stop; nothing is lost when it goes on. */
static void back_pressure(void)
{
	struct np_session_keys keys = { 0 };
	struct server relay, target;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_DAEMON,
					   .local = NP_LOCAL_CONNECT,
					   .keys = &keys };
	size_t left, before;
	const size_t len = 24u << 20;

	np_session_keys_generate(true, &keys);
	server_open(&relay);
	server_open(&target);
	params.relay_port = relay.port;
	params.local_port = target.port;
	relay.peer.limit = 1000;
	KTAP_EQ(open_subject(&s, &params), 0);
	fill(&target.peer.out, len, 7);
	target.peer.shut = true;
	UNTIL(s.nr_ready && relay.peer.in.len == 1000);
	do {
		ev_timer quiet;

		before = target.peer.out.len;
		ev_timer_init(&quiet, stop_loop, 0.3, 0.);
		ev_now_update(loop);
		ev_timer_start(loop, &quiet);
		while (ev_is_active(&quiet))
			ev_run(loop, EVRUN_ONCE);
		left = target.peer.out.len;
	} while (left != before);
	KTAP_OK(left > 0);
	relay.peer.limit = 0;
	relay.peer.shut = true;
	peer_update(&relay.peer);
	UNTIL(s.nr_end && relay.peer.eof);
	xor_with(&keys.key_d2c, &keys.iv_d2c, &relay.peer.in, 0);
	KTAP_OK(holds(&relay.peer.in, 0, len, 7));
	server_fini(&relay);
	server_fini(&target);
	np_session_keys_fini(&keys);
}

static void half_close_keeps_the_other_way_open(void)
{
	struct np_session_keys keys = { 0 };
	struct server relay, target;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_DAEMON,
					   .local = NP_LOCAL_CONNECT,
					   .keys = &keys };

	np_session_keys_generate(false, &keys);
	server_open(&relay);
	server_open(&target);
	params.relay_port = relay.port;
	params.local_port = target.port;
	KTAP_EQ(open_subject(&s, &params), 0);
	relay.peer.shut = true;
	UNTIL(target.peer.eof);
	KTAP_EQ(s.nr_end, 0);
	fill(&target.peer.out, 5000, 8);
	target.peer.shut = true;
	peer_update(&target.peer);
	UNTIL(s.nr_end && relay.peer.eof);
	xor_with(&keys.key_d2c, &keys.iv_d2c, &relay.peer.in, 0);
	KTAP_OK(holds(&relay.peer.in, 0, 5000, 8));
	server_fini(&relay);
	server_fini(&target);
	np_session_keys_fini(&keys);
}

static void reset_becomes_reset(void)
{
	struct np_session_keys keys = { 0 };
	struct server relay, target;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_DAEMON,
					   .local = NP_LOCAL_CONNECT,
					   .keys = &keys };

	np_session_keys_generate(true, &keys);
	server_open(&relay);
	server_open(&target);
	params.relay_port = relay.port;
	params.local_port = target.port;
	KTAP_EQ(open_subject(&s, &params), 0);
	UNTIL(s.nr_ready && relay.peer.fd >= 0 && target.peer.fd >= 0);
	ev_io_stop(loop, &relay.peer.io);
	np_sock_reset(&relay.peer.fd);
	UNTIL(s.nr_end && target.peer.error);
	KTAP_EQ(s.err.code, -ECONNRESET);
	KTAP_OK(strstr(s.err.msg, "relay") != NULL);
	KTAP_EQ(target.peer.error, ECONNRESET);
	server_fini(&relay);
	server_fini(&target);
	np_session_keys_fini(&keys);
}

static void failures_name_the_hop(void)
{
	struct server other;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_DAEMON, .local = NP_LOCAL_CONNECT };
	uint16_t port;
	int closed = refusing_port(&port);

	server_open(&other);
	params.relay_port = other.port;
	params.local_port = port;
	KTAP_EQ(open_subject(&s, &params), 0);
	UNTIL(s.nr_end);
	KTAP_EQ(s.err.code, -ECONNREFUSED);
	KTAP_OK(!strncmp(s.err.msg, "local target: ", 14));
	params.relay_port = port;
	params.local_port = other.port;
	KTAP_EQ(open_subject(&s, &params), 0);
	UNTIL(s.nr_end);
	KTAP_EQ(s.err.code, -ECONNREFUSED);
	KTAP_OK(!strncmp(s.err.msg, "relay: ", 7));
	KTAP_EQ(s.nr_ready, 0);
	server_fini(&other);
	np_fd_close(&closed);
}

static void nobody_connects_in_time(void)
{
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_CLIENT,
					   .local = NP_LOCAL_LISTEN,
					   .relay_port = 1,
					   .timeout_ms = 50 };

	KTAP_EQ(open_subject(&s, &params), 0);
	UNTIL(s.nr_end);
	KTAP_EQ(s.nr_ready, 1);
	KTAP_EQ(s.err.code, -ETIMEDOUT);
}

static void refuses_bad_parameters(void)
{
	struct np_session_keys keys = { 0 };
	struct server busy;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_CLIENT,
					   .local = NP_LOCAL_LISTEN,
					   .relay_port = 1,
					   .auth_line = "two\nlines" };

	KTAP_EQ(open_subject(&s, &params), -EINVAL);
	params.auth_line = NULL;
	params.relay_port = 0;
	KTAP_EQ(open_subject(&s, &params), -EINVAL);
	params.relay_port = 1;
	np_session_keys_generate(false, &keys);
	keys.iv_c2d.len = 15;
	params.keys = &keys;
	KTAP_EQ(open_subject(&s, &params), -EINVAL);
	params.keys = NULL;
	params.local_host = "not-an-address";
	KTAP_EQ(open_subject(&s, &params), -EINVAL);
	params.local_host = NULL;
	server_open(&busy);
	params.local_port = busy.port;
	KTAP_EQ(open_subject(&s, &params), -EADDRINUSE);
	server_fini(&busy);
	np_session_keys_fini(&keys);
}

/* stdio of a ProxyCommand: @in_fd and @out_fd are taken, @app_in collects what comes out. */
static void run_stdio(int in_fd, int out_fd, struct peer *app, bool encrypted, size_t up,
		      size_t down)
{
	struct np_session_keys keys = { 0 };
	struct server relay;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_CLIENT,
					   .local = NP_LOCAL_FDS,
					   .auth_line = AUTH,
					   .fd_in = in_fd,
					   .fd_out = out_fd,
					   .keys = &keys };

	if (encrypted)
		np_session_keys_generate(true, &keys);
	server_open(&relay);
	params.relay_port = relay.port;
	KTAP_EQ(open_subject(&s, &params), 0);
	fill(&relay.peer.out, down, 10);
	if (encrypted)
		xor_with(&keys.key_d2c, &keys.iv_d2c, &relay.peer.out, 0);
	relay.peer.shut = true;
	UNTIL(s.nr_end && relay.peer.eof && app->eof);
	KTAP_EQ(s.nr_ready, 1);
	KTAP_EQ(s.err.code, 0);
	KTAP_OK(holds(&app->in, 0, down, 10));
	if (encrypted)
		xor_with(&keys.key_c2d, &keys.iv_c2d, &relay.peer.in, sizeof(AUTH));
	KTAP_OK(holds(&relay.peer.in, sizeof(AUTH), up, 9));
	server_fini(&relay);
	np_session_keys_fini(&keys);
}

static void write_file(int fd, size_t len)
{
	struct np_buf data = NP_BUF_INIT;

	fill(&data, len, 9);
	KTAP_EQ(np_fd_write_all(fd, data.data, data.len), 0);
	KTAP_EQ(lseek(fd, 0, SEEK_SET), 0);
	np_buf_fini(&data);
}

static void stdio_as_file_and_pipe(void)
{
	char path[] = "/tmp/np-bridge-XXXXXX";
	int out[2], file = mkstemp(path);
	struct peer app = { .fd = -1 };

	unlink(path);
	write_file(file, 300000);
	KTAP_EQ(pipe2(out, O_CLOEXEC), 0);
	peer_attach(&app, out[0]);
	run_stdio(file, out[1], &app, true, 300000, BULK);
	peer_fini(&app);
}

/* The pipes' own flags must not change: the program at the other end of a dup would see it. */
static void stdio_as_pipes(void)
{
	int in[2], out[2], spy_in, spy_out;
	struct np_buf data = NP_BUF_INIT;
	struct peer app = { .fd = -1 };

	KTAP_EQ(pipe2(in, O_CLOEXEC), 0);
	KTAP_EQ(pipe2(out, O_CLOEXEC), 0);
	spy_in = dup(in[0]);
	spy_out = dup(out[1]);
	fill(&data, 40000, 9);
	KTAP_EQ(np_fd_write_all(in[1], data.data, data.len), 0);
	np_fd_close(&in[1]);
	peer_attach(&app, out[0]);
	KTAP_OK(!(fcntl(spy_in, F_GETFL) & O_NONBLOCK));
	KTAP_OK(!(fcntl(spy_out, F_GETFL) & O_NONBLOCK));
	np_fd_close(&spy_out);
	run_stdio(in[0], out[1], &app, true, 40000, BULK);
	KTAP_OK(!(fcntl(spy_in, F_GETFL) & O_NONBLOCK));
	np_fd_close(&spy_in);
	peer_fini(&app);
	np_buf_fini(&data);
}

static void stdio_as_one_socket_unencrypted(void)
{
	struct peer app = { .fd = -1 };
	int pair[2];

	KTAP_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer_attach(&app, pair[1]);
	fill(&app.out, BULK, 9);
	app.shut = true;
	peer_update(&app);
	run_stdio(pair[0], pair[0], &app, false, BULK, 70000);
	peer_fini(&app);
}

static void stdio_reader_gone(void)
{
	struct server relay;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_CLIENT, .local = NP_LOCAL_FDS };
	int in[2], out[2];

	KTAP_EQ(pipe2(in, O_CLOEXEC), 0);
	KTAP_EQ(pipe2(out, O_CLOEXEC), 0);
	np_fd_close(&out[0]);
	server_open(&relay);
	params.relay_port = relay.port;
	params.fd_in = in[0];
	params.fd_out = out[1];
	KTAP_EQ(open_subject(&s, &params), 0);
	fill(&relay.peer.out, 10, 1);
	UNTIL(s.nr_end);
	KTAP_EQ(s.err.code, -EPIPE);
	np_fd_close(&in[1]);
	server_fini(&relay);
}

static void closing_early_leaves_nothing(void)
{
	struct server relay, target;
	struct subject s;
	struct np_bridge_params params = { .side = NP_BRIDGE_DAEMON, .local = NP_LOCAL_CONNECT };

	server_open(&relay);
	server_open(&target);
	params.relay_port = relay.port;
	params.local_port = target.port;
	KTAP_EQ(open_subject(&s, &params), 0);
	np_bridge_close(s.bridge);
	KTAP_EQ(open_subject(&s, &params), 0);
	UNTIL(s.nr_ready);
	np_bridge_close(s.bridge);
	KTAP_EQ(s.nr_end, 0);
	server_fini(&relay);
	server_fini(&target);
}

int main(void)
{
	loop = ev_default_loop(0);
	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	KTAP_RUN(daemon_side_twin_keys);
	KTAP_RUN(daemon_side_single_key);
	KTAP_RUN(client_side_listens_for_one);
	KTAP_RUN(unencrypted_session);
	KTAP_RUN(back_pressure);
	KTAP_RUN(half_close_keeps_the_other_way_open);
	KTAP_RUN(reset_becomes_reset);
	KTAP_RUN(failures_name_the_hop);
	KTAP_RUN(nobody_connects_in_time);
	KTAP_RUN(refuses_bad_parameters);
	KTAP_RUN(stdio_as_file_and_pipe);
	KTAP_RUN(stdio_as_pipes);
	KTAP_RUN(stdio_as_one_socket_unencrypted);
	KTAP_RUN(stdio_reader_gone);
	KTAP_RUN(closing_early_leaves_nothing);
	return ktap_done();
}
