// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writers: each has a connection and one command under way. A lost connection is made again; what
 * was under way then is not noted down, since nobody acknowledged it. A worker's changes rotate:
 * new record, counter, notification.
 */
#include "atload.h"

#include "at/conn.h"
#include "at/directory.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/rand.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_S 0.05
#define LINE_MAX_LEN (ATLOAD_VALUE_MAX + 512)

struct writer;

struct worker {
	struct writer *writer;
	struct np_at_conn *conn;
	ev_timer retry;
	unsigned int index;
	unsigned long long turn;
	char pending[320]; /* journal line of the command under way */
};

struct writer {
	struct atload *load;
	struct worker *workers;
	int journal;
	char run[NP_UUID_SIZE]; /* keys of different runs differ */
	unsigned long long acked, refused, lost;
	ev_signal term, intr;
};

static void again(struct worker *w)
{
	ev_timer_set(&w->retry, RETRY_S, 0.);
	ev_timer_start(w->writer->load->loop, &w->retry);
}

static int build(struct worker *w, char *line, size_t size)
{
	struct atload *load = w->writer->load;
	char key[256], value[ATLOAD_VALUE_MAX], id[NP_UUID_SIZE];

	switch (w->turn % 3) {
	case 0:
		snprintf(key, sizeof(key), "r%u_%llu_%.8s.load%s", w->index, w->turn,
			 w->writer->run, load->me);
		atload_value(load, key, value);
		snprintf(w->pending, sizeof(w->pending), "u %s\n", key);
		return snprintf(line, size, "update:%s %s", key, value);
	case 1:
		snprintf(key, sizeof(key), "count%u_%.8s.load%s", w->index, w->writer->run,
			 load->me);
		snprintf(w->pending, sizeof(w->pending), "c %s %llu\n", key, w->turn);
		return snprintf(line, size, "update:%s %llu", key, w->turn);
	default:
		if (np_rand_uuid4(id))
			return -EIO;
		snprintf(w->pending, sizeof(w->pending), "n %s\n", id);
		return snprintf(line, size,
				"notify:id:%s:update:messageType:key:ttln:3600000:isEncrypted:"
				"false:%s:n%u.load%s:%s",
				id, load->peer, w->index, load->me, id);
	}
}

static void next(struct worker *w);

static void on_reply(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct worker *w = arg;
	struct writer *writer = w->writer;

	(void)len;
	if (err->code) {
		if (err->remote[0] && !writer->refused++)
			fprintf(stderr, "atload: first refusal: %s\n", np_err_text(err));
		if (np_at_conn_is_up(w->conn))
			again(w);
		return;
	}
	/* "data:null" is how a storage failure reads (atprotocol.md 10.1). */
	if (!strcmp(data, "null")) {
		writer->refused++;
		again(w);
		return;
	}
	if (np_fd_write_all(writer->journal, w->pending, strlen(w->pending))) {
		fprintf(stderr, "atload: cannot write the journal\n");
		exit(1);
	}
	w->turn++;
	if (++writer->acked == writer->load->ops)
		ev_break(writer->load->loop, EVBREAK_ALL);
	else
		next(w);
}

static void next(struct worker *w)
{
	char line[LINE_MAX_LEN];
	int len = build(w, line, sizeof(line));

	if (len < 0 || (size_t)len >= sizeof(line) ||
	    np_at_conn_command(w->conn, line, (size_t)len, on_reply, w))
		again(w);
}

static void on_up(struct np_at_conn *conn, void *arg)
{
	(void)conn;
	next(arg);
}

static void on_down(struct np_at_conn *conn, const struct np_err *err, void *arg)
{
	struct worker *w = arg;

	(void)err;
	np_at_conn_close(conn);
	w->conn = NULL;
	w->writer->lost++;
	again(w);
}

static const struct np_at_conn_ops ops = {.up = on_up, .down = on_down};

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;
	struct atload *load = w->writer->load;
	const struct np_at_conn_params params = {.loop = loop,
						 .tls = load->tls,
						 .dir = load->dir,
						 .atsign = load->me,
						 .keys = load->keys,
						 .timeout_ms = 5000};
	struct np_err err = NP_ERR_INIT;

	(void)revents;
	if (w->conn && np_at_conn_is_up(w->conn))
		next(w);
	else if (!w->conn && np_at_conn_open(&params, &ops, w, &w->conn, &err))
		again(w);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static int start(struct writer *writer)
{
	struct atload *load = writer->load;
	unsigned int i;

	writer->journal = open(load->journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	writer->workers = calloc(load->conns, sizeof(*writer->workers));
	if (writer->journal < 0 || !writer->workers || np_rand_uuid4(writer->run)) {
		fprintf(stderr, "atload: cannot start: %s\n", strerror(errno));
		return -1;
	}
	for (i = 0; i < load->conns; i++) {
		struct worker *w = &writer->workers[i];

		w->writer = writer;
		w->index = i;
		ev_timer_init(&w->retry, on_retry, 0., 0.);
		w->retry.data = w;
		ev_timer_start(load->loop, &w->retry);
	}
	ev_signal_init(&writer->term, on_signal, SIGTERM);
	ev_signal_init(&writer->intr, on_signal, SIGINT);
	ev_signal_start(load->loop, &writer->term);
	ev_signal_start(load->loop, &writer->intr);
	return 0;
}

int atload_write(struct atload *load)
{
	struct writer writer = {.load = load, .journal = -1};
	unsigned int i;
	int ret;

	ret = start(&writer);
	if (!ret) {
		ev_run(load->loop, 0);
		printf("{\"acknowledged\":%llu,\"refused\":%llu,\"lost\":%llu}\n", writer.acked,
		       writer.refused, writer.lost);
	}
	for (i = 0; writer.workers && i < load->conns; i++) {
		np_at_conn_close(writer.workers[i].conn);
		ev_timer_stop(load->loop, &writer.workers[i].retry);
	}
	free(writer.workers);
	np_fd_close(&writer.journal);
	return ret ? 1 : 0;
}
