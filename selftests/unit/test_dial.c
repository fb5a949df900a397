// SPDX-License-Identifier: BSD-3-Clause
#include "net/dial.h"

#include "atfake.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"
#include "net/sock.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

struct result {
	bool done;
	unsigned int nr;
	int fd;
	struct np_err err;
};

static struct fake_world w; /* only its loop is used */

static void on_dialed(int fd, const struct np_err *err, void *arg)
{
	struct result *r = arg;

	r->done = true;
	r->nr++;
	r->fd = fd;
	r->err = *err;
}

static struct result dial(const char *host, uint16_t port, unsigned int timeout_ms)
{
	static struct result r;
	struct np_dial *d = NULL;

	memset(&r, 0, sizeof(r));
	KTAP_EQ(np_dial_start(w.loop, host, port, timeout_ms, on_dialed, &r, &d), 0);
	KTAP_OK(!r.done);
	KTAP_OK(fake_run(&w, &r.done, timeout_ms + 5000));
	return r;
}

static int listen_on(const char *ip, uint16_t *port)
{
	struct np_addr addr;
	int fd = np_sock_listen(ip, 0, 8, NULL);

	if (fd >= 0 && np_sock_local(fd, &addr) == 0)
		*port = np_addr_port(&addr);
	return fd;
}

static int get_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static void check_socket(int fd)
{
	KTAP_OK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	KTAP_OK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	KTAP_EQ(get_int(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	KTAP_EQ(get_int(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	KTAP_EQ(get_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 120000);
}

static void connects_and_tunes_both_ends(void)
{
	uint16_t port = 0;
	int l = listen_on("127.0.0.1", &port), peer;
	struct result r = dial("127.0.0.1", port, 3000);

	KTAP_EQ(r.err.code, 0);
	check_socket(r.fd);
	peer = np_sock_accept(l, NULL);
	check_socket(peer);
	KTAP_EQ(np_sock_accept(l, NULL), -EAGAIN);
	np_fd_close(&peer);
	np_fd_close(&r.fd);
	np_fd_close(&l);
}

static void names_try_every_address(void)
{
	/* "localhost" may give ::1 first, where nobody listens */
	uint16_t port = 0;
	int l = listen_on("127.0.0.1", &port);
	long long start = np_clock_mono_ms();
	struct result r = dial("localhost", port, 3000);

	KTAP_EQ(r.err.code, 0);
	KTAP_OK(r.fd >= 0);
	KTAP_OK(np_clock_mono_ms() - start < 2000);
	np_fd_close(&r.fd);
	np_fd_close(&l);
}

static void refused_is_named(void)
{
	uint16_t port = 0;
	int l = listen_on("127.0.0.1", &port);
	struct result r;
	char want[64];

	np_fd_close(&l);
	r = dial("127.0.0.1", port, 3000);
	KTAP_EQ(r.fd, -1);
	KTAP_EQ(r.err.code, -ECONNREFUSED);
	snprintf(want, sizeof(want), "127.0.0.1:%u: cannot connect", port);
	KTAP_OK(strstr(r.err.msg, want) != NULL);
}

static void unknown_name_is_named(void)
{
	struct result r = dial("a..b", 80, 5000);

	KTAP_EQ(r.err.code, -EHOSTUNREACH);
	KTAP_OK(strstr(r.err.msg, "a..b: name not resolved") != NULL);
}

static void silence_ends_at_the_deadline(void)
{
	/* A listener whose queue is full drops further connection requests. */
	struct np_addr addr;
	int l = np_sock_listen("127.0.0.1", 0, 0, NULL), fill[8], i;
	long long start;
	struct result r;

	KTAP_EQ(np_sock_local(l, &addr), 0);
	for (i = 0; i < 8; i++)
		fill[i] = np_sock_connect_start(&addr);
	start = np_clock_mono_ms();
	r = dial("127.0.0.1", np_addr_port(&addr), 300);
	KTAP_EQ(r.err.code, -ETIMEDOUT);
	KTAP_OK(np_clock_mono_ms() - start >= 290 && np_clock_mono_ms() - start < 3000);
	for (i = 0; i < 8; i++)
		np_fd_close(&fill[i]);
	np_fd_close(&l);
}

static void cancelled_ones_are_silent(void)
{
	uint16_t port = 0;
	int l = listen_on("127.0.0.1", &port);
	struct result r[3] = {0};
	struct np_dial *d[3];
	bool never = false;

	KTAP_EQ(np_dial_start(w.loop, "127.0.0.1", port, 1000, on_dialed, &r[0], &d[0]), 0);
	np_dial_cancel(d[0]);
	KTAP_EQ(np_dial_start(w.loop, "localhost", port, 1000, on_dialed, &r[1], &d[1]), 0);
	np_dial_cancel(d[1]);
	/* while connecting */
	KTAP_EQ(np_dial_start(w.loop, "127.0.0.1", port, 1000, on_dialed, &r[2], &d[2]), 0);
	ev_run(w.loop, EVRUN_ONCE);
	if (!r[2].done)
		np_dial_cancel(d[2]);
	else
		np_fd_close(&r[2].fd);
	np_dial_cancel(NULL);
	fake_run(&w, &never, 100);
	KTAP_OK(!r[0].done && !r[1].done && r[2].nr <= 1);
	np_fd_close(&l);
}

int main(void)
{
	w.loop = ev_default_loop(0);
	KTAP_RUN(connects_and_tunes_both_ends);
	KTAP_RUN(names_try_every_address);
	KTAP_RUN(refused_is_named);
	KTAP_RUN(unknown_name_is_named);
	KTAP_RUN(silence_ends_at_the_deadline);
	KTAP_RUN(cancelled_ones_are_silent);
	return ktap_done();
}
