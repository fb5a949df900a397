// SPDX-License-Identifier: BSD-3-Clause
/*
 * npjoin: the relay reduced to its data plane, for tests of bridges: two ports on loopback, the
 * k-th connection of one is joined with the k-th of the other.
 *
 *	npjoin --ready-fd N [--auth]	{"a":{"port":..},"b":{"port":..}}
 *
 * With --auth each connection first says one line, which is printed as "a LINE" or "b LINE" and
 * not passed on. With --challenge it is asked for the line first and agreed with: an ESCR relay
 * that believes everybody.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/ready.h"
#include "cli/opt.h"
#include "net/listen.h"
#include "net/sock.h"
#include "splice/splice.h"

#include <ev.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PENDING_MAX 64
#define LINE_MAX_LEN 4096
#define CHALLENGE "kX3AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxs=\n"

struct conf {
	uint64_t ready_fd;
	bool auth, challenge;
};

struct side {
	struct app *app;
	struct np_listener *listener;
	char name;
	int fds[PENDING_MAX];
	unsigned int nr;
};

struct app {
	struct ev_loop *loop;
	const struct conf *conf;
	struct np_splice *splice;
	struct side sides[2];
};

struct talker {
	ev_io io;
	struct side *side;
	char line[LINE_MAX_LEN];
	size_t len;
};

static void on_end(struct np_pair *pair, enum np_pair_end end, const struct np_splice_stats *stats,
		   void *arg)
{
	(void)pair;
	(void)arg;
	printf("end %s %llu %llu\n", np_pair_end_name(end), (unsigned long long)stats->bytes[0],
	       (unsigned long long)stats->bytes[1]);
}

static void join(struct app *app)
{
	struct side *a = &app->sides[0], *b = &app->sides[1];
	struct np_pair_params params = { .on_end = on_end };
	struct np_pair *pair;

	while (a->nr && b->nr) {
		params.fd[0] = a->fds[0];
		params.fd[1] = b->fds[0];
		memmove(a->fds, a->fds + 1, --a->nr * sizeof(int));
		memmove(b->fds, b->fds + 1, --b->nr * sizeof(int));
		if (np_pair_join(app->splice, &params, &pair, NULL))
			exit(1);
	}
}

static void enqueue(struct side *side, int fd)
{
	if (side->nr == PENDING_MAX)
		exit(1);
	side->fds[side->nr++] = fd;
	join(side->app);
}

/* Byte by byte, so that nothing behind the line is taken. */
static void on_talk(struct ev_loop *loop, ev_io *w, int revents)
{
	struct talker *t = (struct talker *)w;
	int fd = w->fd;
	char c;

	(void)revents;
	while (recv(fd, &c, 1, 0) == 1) {
		if (c != '\n' && t->len < sizeof(t->line) - 1) {
			t->line[t->len++] = c;
			continue;
		}
		printf("%c %.*s\n", t->side->name, (int)t->len, t->line);
		ev_io_stop(loop, w);
		if (t->side->app->conf->challenge)
			(void)send(fd, "ok\n", 3, MSG_NOSIGNAL);
		enqueue(t->side, fd);
		free(t);
		return;
	}
}

static void on_accept(int fd, const struct np_addr *peer, void *arg)
{
	struct side *side = arg;
	struct talker *t;

	(void)peer;
	np_sock_tune(fd);
	if (side->app->conf->challenge)
		(void)send(fd, CHALLENGE, sizeof(CHALLENGE) - 1, MSG_NOSIGNAL);
	else if (!side->app->conf->auth) {
		enqueue(side, fd);
		return;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		exit(1);
	t->side = side;
	ev_io_init(&t->io, on_talk, fd, EV_READ);
	ev_io_start(side->app->loop, &t->io);
}

static int open_side(struct app *app, unsigned int i, struct np_err *err)
{
	struct side *side = &app->sides[i];
	int fd = np_sock_listen("127.0.0.1", 0, 64, err);

	side->app = app;
	side->name = (char)('a' + i);
	return fd < 0 ? fd
		      : np_listener_open(app->loop, fd, "npjoin", on_accept, side, &side->listener);
}

int main(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_U64("ready-fd", 0, "N", struct conf, ready_fd, "write the ports there", 3,
			INT_MAX, CLI_REQUIRED),
		CLI_FLAG("auth", 0, struct conf, auth, "each connection begins with a line", 0),
		CLI_FLAG("challenge", 0, struct conf, challenge,
			 "each connection is asked for a line", 0),
		CLI_END
	};
	static const struct cli_prog prog = { .name = "npjoin",
					      .purpose = "two ports, joined",
					      .opts = opts };
	struct conf conf = { 0 };
	struct app app = { .conf = &conf };
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	char line[128];
	int status;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	status = np_cli_start(&parse, &prog, argc, argv, &conf);
	if (status != CLI_GO_ON)
		return status;
	app.loop = ev_default_loop(0);
	if (np_splice_new(app.loop, "auto", &app.splice, &err) || open_side(&app, 0, &err) ||
	    open_side(&app, 1, &err)) {
		fprintf(stderr, "npjoin: %s\n", np_err_text(&err));
		return 1;
	}
	snprintf(line, sizeof(line), "{\"a\":{\"port\":%u},\"b\":{\"port\":%u}}",
		 np_listener_port(app.sides[0].listener), np_listener_port(app.sides[1].listener));
	(void)np_ready_announce((int)conf.ready_fd, line);
	ev_run(app.loop, 0);
	return 0;
}
