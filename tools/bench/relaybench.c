// SPDX-License-Identifier: BSD-3-Clause
/*
 * relaybench: joins each accepted connection with one that it makes to a fixed target, through
 * the same np_splice engine as srvd. It stands where haproxy and nginx stand in a comparison.
 *
 *   accepted --dial--> DIALLING --connected--> JOINED --on_end--> freed
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/opt.h"
#include "net/dial.h"
#include "net/listen.h"
#include "net/sock.h"
#include "splice/splice.h"

#include <ev.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define DIAL_TIMEOUT_MS	10000
#define BACKLOG		4096

struct relaybench_conf {
	const char *listen, *to;
	int backend;
};

struct bench;

/* One relayed connection, in the bench's list from accept to end. */
struct session {
	struct bench *bench;
	struct session *next, **link;
	int client_fd;			/* until it is joined */
	struct np_dial *dial;
	struct np_pair *pair;
};

struct bench {
	struct ev_loop *loop;
	struct np_splice *splice;
	struct np_listener *listener;
	struct session *sessions;
	char host[NP_HOST_MAX];
	uint16_t port;
};

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

static void on_pair_end(struct np_pair *pair, enum np_pair_end end,
			const struct np_splice_stats *stats, void *arg)
{
	struct session *s = arg;

	(void)pair;
	np_debug("pair: ended reason=%s backend=%s a=%llu b=%llu", np_pair_end_name(end),
		 stats->backend, (unsigned long long)stats->bytes[0],
		 (unsigned long long)stats->bytes[1]);
	s->pair = NULL;
	session_free(s);
}

static void on_dialled(int fd, const struct np_err *dial_err, void *arg)
{
	struct session *s = arg;
	struct np_err err = NP_ERR_INIT;
	struct np_pair_params params = {
		.fd = { s->client_fd, fd }, .on_end = on_pair_end, .arg = s,
	};

	s->dial = NULL;
	if (fd < 0) {
		np_warn_err(dial_err, "session: no connection to the target");
		session_free(s);
		return;
	}
	s->client_fd = -1;
	if (np_pair_join(s->bench->splice, &params, &s->pair, &err)) {
		np_warn_err(&err, "session: cannot be joined");
		s->pair = NULL;
		session_free(s);
	}
}

static void on_accept(int fd, const struct np_addr *peer, void *arg)
{
	struct bench *b = arg;
	struct session *s = calloc(1, sizeof(*s));

	(void)peer;
	if (!s) {
		np_fd_close(&fd);
		return;
	}
	np_sock_tune(fd);
	s->bench = b;
	s->client_fd = fd;
	s->next = b->sessions;
	s->link = &b->sessions;
	if (s->next)
		s->next->link = &s->next;
	b->sessions = s;
	if (np_dial_start(b->loop, b->host, b->port, DIAL_TIMEOUT_MS, on_dialled, s, &s->dial)) {
		np_warn("session: cannot start connecting");
		s->dial = NULL;
		session_free(s);
	}
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static int bench_open(struct bench *b, const struct relaybench_conf *conf, struct np_err *err)
{
	char listen_host[NP_HOST_MAX];
	uint16_t listen_port;
	int ret, fd;

	ret = np_hostport_parse(conf->to, 0, b->host, &b->port, err);
	if (!ret)
		ret = np_hostport_parse(conf->listen, 0, listen_host, &listen_port, err);
	if (!ret)
		ret = np_splice_new(b->loop, np_splice_names[conf->backend], &b->splice, err);
	if (ret)
		return ret;
	fd = np_sock_listen(listen_host, listen_port, BACKLOG, err);
	if (fd < 0)
		return fd;
	ret = np_listener_open(b->loop, fd, "listen", on_accept, b, &b->listener);
	return ret ? np_fail_errno(err, ret, "listen") : 0;
}

static void bench_close(struct bench *b)
{
	np_listener_close(b->listener);
	while (b->sessions)
		session_free(b->sessions);
	np_splice_free(b->splice);
}

/* Pairs cost two descriptors, and the pools some more. */
static void raise_fd_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

static int serve(const struct relaybench_conf *conf)
{
	struct bench b = { .loop = ev_default_loop(EVFLAG_AUTO) };
	struct np_err err = NP_ERR_INIT;
	ev_signal term, intr;
	int ret;

	np_log_open_stderr(false);
	np_log_set_level(NP_LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	raise_fd_limit();
	ret = bench_open(&b, conf, &err);
	if (ret) {
		fprintf(stderr, "relaybench: %s\n", np_err_text(&err));
		goto out;
	}
	ev_signal_init(&term, on_signal, SIGTERM);
	ev_signal_start(b.loop, &term);
	ev_signal_init(&intr, on_signal, SIGINT);
	ev_signal_start(b.loop, &intr);
	ev_run(b.loop, 0);
out:
	bench_close(&b);
	return ret ? 1 : 0;
}

static const struct cli_opt opts[] = {
	CLI_STR("listen", 'l', "ADDR:PORT", struct relaybench_conf, listen, "where to accept",
		CLI_REQUIRED),
	CLI_STR("to", 't', "ADDR:PORT", struct relaybench_conf, to, "what to connect to",
		CLI_REQUIRED),
	CLI_ENUM("backend", 'b', "NAME", struct relaybench_conf, backend, "how bytes are moved",
		 np_splice_names),
	CLI_END
};

static const struct cli_prog prog = {
	.name = "relaybench",
	.purpose = "the splice engine as a plain TCP relay, for benchmarks",
	.opts = opts,
};

int main(int argc, char **argv)
{
	struct relaybench_conf conf = { .backend = 0 };
	struct cli_parse parse;
	int status = np_cli_start(&parse, &prog, argc, argv, &conf);

	if (status == CLI_GO_ON)
		status = serve(&conf);
	np_cli_fini(&parse);
	return status;
}
