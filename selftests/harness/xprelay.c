// SPDX-License-Identifier: BSD-3-Clause
/*
 * xprelay: the splice engine as a plain relay under test. It joins what it accepts with connections
 * to a fixed target and says on standard output, one JSON object a line, how each pair ended.
 * SIGUSR1: what the engine has now. SIGUSR2: kill all pairs. SIGTERM: let them go and end.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/ready.h"
#include "cli/opt.h"
#include "net/dial.h"
#include "net/listen.h"
#include "net/sock.h"
#include "splice/express.h"
#include "splice/splice.h"

#include <ev.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conf {
	const char *listen, *to;
	int backend;
	uint64_t idle_ms, ready_fd; /* 0: none */
};

struct session {
	struct session *next, **link;
	int client_fd;
	struct np_dial *dial;
	struct np_pair *pair;
};

static struct ev_loop *loop;
static struct np_splice *splice;
static struct np_listener *listener;
static struct session *sessions;
static char host[NP_HOST_MAX];
static uint16_t port;
static struct conf conf;

static void session_free(struct session *s)
{
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	np_dial_cancel(s->dial);
	np_pair_kill(s->pair);
	np_fd_close(&s->client_fd);
	free(s);
}

static void on_end(struct np_pair *pair, enum np_pair_end end, const struct np_splice_stats *stats,
		   void *arg)
{
	struct session *s = arg;

	(void)pair;
	printf("{\"event\":\"end\",\"reason\":\"%s\",\"backend\":\"%s\",\"a\":%llu,\"b\":%llu}\n",
	       np_pair_end_name(end), stats->backend, (unsigned long long)stats->bytes[0],
	       (unsigned long long)stats->bytes[1]);
	s->pair = NULL;
	session_free(s);
}

static void on_dialled(int fd, const struct np_err *dial_err, void *arg)
{
	struct session *s = arg;
	struct np_pair_params params = {
		.fd = {s->client_fd, fd},
		.idle_limit_ms = (unsigned int)conf.idle_ms,
		.on_end = on_end,
		.arg = s,
	};
	struct np_err err = NP_ERR_INIT;

	s->dial = NULL;
	if (fd < 0) {
		np_warn_err(dial_err, "session: no connection to the target");
		session_free(s);
		return;
	}
	s->client_fd = -1;
	if (np_pair_join(splice, &params, &s->pair, &err)) {
		np_warn_err(&err, "session: cannot be joined");
		s->pair = NULL;
		session_free(s);
	}
}

static void on_accept(int fd, const struct np_addr *peer, void *arg)
{
	struct session *s = calloc(1, sizeof(*s));

	(void)peer;
	(void)arg;
	if (!s) {
		np_fd_close(&fd);
		return;
	}
	np_sock_tune(fd);
	s->client_fd = fd;
	s->next = sessions;
	s->link = &sessions;
	if (s->next)
		s->next->link = &s->next;
	sessions = s;
	if (np_dial_start(loop, host, port, 10000, on_dialled, s, &s->dial)) {
		s->dial = NULL;
		session_free(s);
	}
}

static void on_status(struct ev_loop *l, ev_signal *w, int revents)
{
	unsigned long long a = 0, b = 0, in_express = 0, pairs = 0;
	struct np_express_status status;
	struct np_splice_stats stats;
	const struct session *s;
	const char *why = "";

	(void)l;
	(void)w;
	(void)revents;
	np_express_status(splice, &status);
	for (s = sessions; s; s = s->next) {
		if (!s->pair)
			continue;
		np_pair_stats(s->pair, &stats);
		pairs++;
		in_express += !strcmp(stats.backend, "express");
		a += stats.bytes[0];
		b += stats.bytes[1];
		if (*np_pair_why(s->pair))
			why = np_pair_why(s->pair);
	}
	printf("{\"event\":\"status\",\"pairs\":%llu,\"express\":%llu,\"a\":%llu,\"b\":%llu,"
	       "\"why\":\"%s\","
	       "\"promoted\":%llu,\"rolled_back\":%llu,\"held\":%llu,\"lingering\":%u,\"orphans\":%"
	       "u}\n",
	       pairs, in_express, a, b, why, (unsigned long long)status.promoted,
	       (unsigned long long)status.rolled_back, (unsigned long long)status.held_frames,
	       status.lingering, status.orphans);
}

static void on_kill(struct ev_loop *l, ev_signal *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
	while (sessions)
		session_free(sessions);
	puts("{\"event\":\"killed\"}");
}

static void on_term(struct ev_loop *l, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(l, EVBREAK_ALL);
}

static int open_all(struct np_err *err)
{
	char listen_host[NP_HOST_MAX];
	uint16_t listen_port;
	int fd, ret;

	ret = np_hostport_parse(conf.to, 0, host, &port, err);
	if (!ret)
		ret = np_hostport_parse(conf.listen, 0, listen_host, &listen_port, err);
	if (!ret)
		ret = np_splice_new(loop, np_splice_names[conf.backend], &splice, err);
	if (ret)
		return ret;
	fd = np_sock_listen(listen_host, listen_port, 1024, err);
	if (fd < 0)
		return fd;
	ret = np_listener_open(loop, fd, "listen", on_accept, NULL, &listener);
	return ret ? np_fail_errno(err, ret, "listen") : 0;
}

static int serve(void)
{
	static const int numbers[] = {SIGUSR1, SIGUSR2, SIGTERM};
	void (*const calls[])(struct ev_loop *, ev_signal *, int) = {on_status, on_kill, on_term};
	struct np_err err = NP_ERR_INIT;
	ev_signal signals[3];
	int i, ret;

	setlinebuf(stdout);
	np_log_open_stderr(false);
	np_log_set_level(NP_LOG_DEBUG);
	loop = ev_default_loop(EVFLAG_AUTO);
	for (i = 0; i < 3; i++) {
		ev_signal_init(&signals[i], calls[i], numbers[i]);
		ev_signal_start(loop, &signals[i]);
	}
	ret = open_all(&err);
	if (ret)
		fprintf(stderr, "xprelay: %s\n", np_err_text(&err));
	if (!ret && conf.ready_fd)
		np_ready_announce((int)conf.ready_fd, "{}");
	if (!ret)
		ev_run(loop, 0);
	while (sessions) {
		np_pair_let_go(sessions->pair);
		sessions->pair = NULL;
		session_free(sessions);
	}
	np_listener_close(listener);
	np_splice_free(splice);
	return ret ? 1 : 0;
}

static const struct cli_opt opts[] = {
	CLI_STR("listen", 'l', "ADDR:PORT", struct conf, listen, "where to accept", CLI_REQUIRED),
	CLI_STR("to", 't', "ADDR:PORT", struct conf, to, "what to connect to", CLI_REQUIRED),
	CLI_ENUM("backend", 'b', "NAME", struct conf, backend, "how bytes are moved",
		 np_splice_names),
	CLI_U64("idle-ms", 'i', "MS", struct conf, idle_ms, "end idle pairs", 0, 86400000, 0),
	CLI_U64("ready-fd", 'r', "FD", struct conf, ready_fd, "where to say that it listens", 0,
		1023, 0),
	CLI_END,
};

static const struct cli_prog prog = {
	.name = "xprelay",
	.purpose = "the splice engine as a relay under test",
	.opts = opts,
};

int main(int argc, char **argv)
{
	struct cli_parse parse;
	int status = np_cli_start(&parse, &prog, argc, argv, &conf);

	if (status == CLI_GO_ON)
		status = serve();
	np_cli_fini(&parse);
	return status;
}
