// SPDX-License-Identifier: BSD-3-Clause
/*
 * CONNECTING -(every monitor confirmed)-> WARMING -> MEASURING -> DRAINING -> end
 *
 * A value begins with the time at which it was due and its number, both in hex, so that the
 * receiver knows the latency and notices what is lost or doubled. With a rate the load is open: a
 * notification is due at its time whatever became of those before, and waits in the connection when
 * the server is behind; this waiting is part of its latency.
 */
#include "atbench.h"

#include "at/keyfile.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/rand.h"

#include <ev.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LINE_LEN (ATBENCH_VALUE_MAX + 512)
#define DRAIN_S 30.
#define NS_PER_S 1000000000ull
#define NUMBER_MAX (1u << 26)
#define BURST_MAX 1000 /* due ones per turn, so that answers are read in between */

enum phase { CONNECTING, WARMING, MEASURING, DRAINING };

struct load;

struct pair {
	struct load *load;
	struct atbench_who sender, receiver;
	struct np_at_conn *send, *monitor;
	bool send_up, monitor_up;
	uint64_t sent, acked, delivered;
	uint8_t *seen; /* one bit per number */
	size_t seen_len;
};

struct load {
	struct atbench *bench;
	struct pair *pairs;
	size_t nr_pairs, nr_up, turn;
	enum phase phase;
	uint64_t first_ns, nr_due; /* of the schedule */
	uint64_t from_ns, to_ns, delivered; /* measured */
	uint64_t doubled;
	uint32_t *latencies; /* us */
	size_t nr_latencies, max_latencies;
	char run_id[NP_UUID_SIZE];
	char value[ATBENCH_VALUE_MAX + 1];
	ev_timer timer;
	ev_io due;
	bool failed;
};

static void give_up(struct load *load, const char *what, const char *why)
{
	if (!load->failed)
		fprintf(stderr, "atbench: %s: %s\n", what, why);
	load->failed = true;
	ev_break(load->bench->loop, EVBREAK_ALL);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void fill(struct pair *pair);

static void on_answer(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct pair *pair = arg;

	(void)data;
	(void)len;
	if (err->code) {
		give_up(pair->load, "notification refused", np_err_text(err));
		return;
	}
	pair->acked++;
	fill(pair);
}

static void send_one(struct pair *pair, uint64_t due_ns)
{
	struct load *load = pair->load;
	char line[LINE_LEN];
	int len;

	len = snprintf(line, sizeof(line),
		       "notify:id:%.23s-%012" PRIx64 ":update:messageType:key:ttln:3600000:"
		       "isEncrypted:true:%s:n%zu.bench%s:%016" PRIx64 "%08" PRIx64 "%s",
		       load->run_id, pair->sent | (uint64_t)(pair - load->pairs) << 32,
		       pair->receiver.name, (size_t)(pair - load->pairs), pair->sender.name, due_ns,
		       pair->sent, load->value + ATBENCH_VALUE_MIN);
	if (len < 0 || (size_t)len >= sizeof(line) || pair->sent == NUMBER_MAX ||
	    np_at_conn_command(pair->send, line, (size_t)len, on_answer, pair))
		give_up(load, pair->sender.name, "cannot send");
	pair->sent++;
}

/* Under way is what lacks its answer or its delivery. */
static void fill(struct pair *pair)
{
	const struct atbench *bench = pair->load->bench;

	if (bench->rate || (pair->load->phase != WARMING && pair->load->phase != MEASURING))
		return;
	while (!pair->load->failed && pair->sent - pair->acked < bench->window &&
	       pair->sent - pair->delivered < bench->window)
		send_one(pair, np_clock_mono_ns());
}

static uint64_t due_at(const struct load *load)
{
	return load->first_ns + load->nr_due * NS_PER_S / load->bench->rate;
}

static void set_alarm(struct load *load)
{
	uint64_t at = due_at(load);
	const struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)}};

	timerfd_settime(load->due.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_due(struct ev_loop *loop, ev_io *w, int revents)
{
	struct load *load = w->data;
	unsigned int nr = 0;
	uint64_t expired;

	(void)loop;
	(void)revents;
	if (read(w->fd, &expired, sizeof(expired)) < 0)
		return;
	while (!load->failed && nr++ < BURST_MAX && due_at(load) <= np_clock_mono_ns()) {
		send_one(&load->pairs[load->turn], due_at(load));
		load->turn = (load->turn + 1) % load->nr_pairs;
		load->nr_due++;
	}
	set_alarm(load);
}

/* --- receiving -------------------------------------------------------------------------------- */

static bool is_first(struct pair *pair, uint64_t number)
{
	size_t byte = number / 8, len;
	uint8_t *more, bit = (uint8_t)(1u << (number % 8));

	if (byte >= pair->seen_len) {
		len = 2 * byte + 1024;
		more = realloc(pair->seen, len);
		if (!more) {
			give_up(pair->load, pair->receiver.name, "out of memory");
			return false;
		}
		memset(more + pair->seen_len, 0, len - pair->seen_len);
		pair->seen = more;
		pair->seen_len = len;
	}
	if (pair->seen[byte] & bit)
		return false;
	pair->seen[byte] |= bit;
	return true;
}

static void note_latency(struct load *load, uint64_t due_ns, uint64_t now_ns)
{
	uint64_t us = now_ns > due_ns ? (now_ns - due_ns) / 1000 : 0;
	uint32_t *more;
	size_t max;

	if (load->nr_latencies == load->max_latencies) {
		max = load->max_latencies * 2 + 65536;
		more = realloc(load->latencies, max * sizeof(*more));
		if (!more) {
			give_up(load, "latencies", "out of memory");
			return;
		}
		load->latencies = more;
		load->max_latencies = max;
	}
	load->latencies[load->nr_latencies++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static bool is_all_there(const struct load *load)
{
	size_t i;

	for (i = 0; i < load->nr_pairs; i++)
		if (load->pairs[i].delivered < load->pairs[i].sent ||
		    load->pairs[i].acked < load->pairs[i].sent)
			return false;
	return true;
}

/* Return: false for a line that is none of ours. */
static bool read_value(const char *line, uint64_t *due_ns, uint64_t *number)
{
	static const char name[] = "\"value\":\"";
	const char *p = strstr(line, name);
	char first[17], second[9];

	if (!p || strnlen(p + sizeof(name) - 1, ATBENCH_VALUE_MIN) < ATBENCH_VALUE_MIN)
		return false;
	p += sizeof(name) - 1;
	snprintf(first, sizeof(first), "%.16s", p);
	snprintf(second, sizeof(second), "%.8s", p + 16);
	*due_ns = strtoull(first, NULL, 16);
	*number = strtoull(second, NULL, 16);
	return true;
}

/* Others may use the realm too: the key tells what is ours. */
static void on_line(struct np_at_conn *conn, const char *line, size_t len, void *arg)
{
	struct pair *pair = arg;
	struct load *load = pair->load;
	uint64_t due_ns, number, now_ns = np_clock_mono_ns();

	(void)conn;
	(void)len;
	if (!strstr(line, ".bench@") || !read_value(line, &due_ns, &number) || number >= pair->sent)
		return;
	if (!is_first(pair, number)) {
		load->doubled++;
		return;
	}
	pair->delivered++;
	if (load->phase == MEASURING)
		load->delivered++;
	if (load->from_ns && due_ns >= load->from_ns && (!load->to_ns || due_ns < load->to_ns))
		note_latency(load, due_ns, now_ns);
	if (load->phase == DRAINING && is_all_there(load))
		ev_break(load->bench->loop, EVBREAK_ALL);
	fill(pair);
}

/* --- phases ----------------------------------------------------------------------------------- */

static void set_timer(struct load *load, double s)
{
	ev_now_update(load->bench->loop);
	ev_timer_stop(load->bench->loop, &load->timer);
	ev_timer_set(&load->timer, s, 0.);
	ev_timer_start(load->bench->loop, &load->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct load *load = w->data;

	(void)revents;
	switch (load->phase) {
	case CONNECTING:
		give_up(load, "not every connection came up", "no answer");
		break;
	case WARMING:
		load->phase = MEASURING;
		load->from_ns = np_clock_mono_ns();
		set_timer(load, (double)load->bench->run_ms / 1000.);
		break;
	case MEASURING:
		load->phase = DRAINING;
		load->to_ns = np_clock_mono_ns();
		ev_io_stop(loop, &load->due);
		set_timer(load, DRAIN_S);
		if (is_all_there(load))
			ev_break(loop, EVBREAK_ALL);
		break;
	case DRAINING:
		ev_break(loop, EVBREAK_ALL);
		break;
	}
}

static void start_sending(struct load *load)
{
	size_t i;

	load->phase = WARMING;
	set_timer(load, (double)load->bench->warmup_ms / 1000.);
	load->first_ns = np_clock_mono_ns();
	if (load->bench->rate) {
		ev_io_start(load->bench->loop, &load->due);
		set_alarm(load);
	}
	for (i = 0; i < load->nr_pairs; i++)
		fill(&load->pairs[i]);
}

static void one_is_up(struct load *load)
{
	if (++load->nr_up == 2 * load->nr_pairs)
		start_sending(load);
}

static void on_confirmed(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct pair *pair = arg;

	(void)data;
	(void)len;
	if (!err->code)
		one_is_up(pair->load);
}

static void on_up(struct np_at_conn *conn, void *arg)
{
	struct pair *pair = arg;

	if (conn == pair->send)
		one_is_up(pair->load);
	else if (np_at_conn_command(conn, "monitor", 7, NULL, NULL) ||
		 np_at_conn_command(conn, "noop:0", 6, on_confirmed, pair))
		give_up(pair->load, pair->receiver.name, "cannot monitor");
}

static void on_down(struct np_at_conn *conn, const struct np_err *err, void *arg)
{
	struct pair *pair = arg;

	if (conn == pair->send)
		pair->send = NULL;
	else
		pair->monitor = NULL;
	np_at_conn_close(conn);
	give_up(pair->load, "connection lost", np_err_text(err));
}

static const struct np_at_conn_ops ops = {.up = on_up, .line = on_line, .down = on_down};

/* --- the whole -------------------------------------------------------------------------------- */

static int start_pair(struct load *load, size_t i, struct np_err *err)
{
	struct atbench *bench = load->bench;
	struct pair *pair = &load->pairs[i];
	int ret;

	pair->load = load;
	ret = atbench_load_keys(bench->senders.items[i], &pair->sender, err);
	if (!ret)
		ret = atbench_load_keys(bench->receivers.items[i], &pair->receiver, err);
	if (!ret)
		ret = atbench_open(bench, &pair->sender, &ops, pair, &pair->send, err);
	return ret ? ret : atbench_open(bench, &pair->receiver, &ops, pair, &pair->monitor, err);
}

/* Letters of base64, as ciphertext would have. */
static int make_value(struct load *load)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;
	int ret;

	ret = np_rand_bytes(load->value, load->bench->value_len);
	for (i = 0; i < load->bench->value_len; i++)
		load->value[i] = letters[(unsigned char)load->value[i] % 64];
	return ret ? ret : np_rand_uuid4(load->run_id);
}

static int start(struct load *load, struct np_err *err)
{
	struct atbench *bench = load->bench;
	size_t i;
	int ret, fd;

	load->nr_pairs = bench->senders.nr;
	if (load->nr_pairs != bench->receivers.nr)
		return np_fail(err, -EINVAL, "%zu senders, but %zu receivers", load->nr_pairs,
			       bench->receivers.nr);
	load->pairs = calloc(load->nr_pairs, sizeof(*load->pairs));
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ev_timer_init(&load->timer, on_timer, 0., 0.);
	ev_io_init(&load->due, on_due, fd, EV_READ);
	load->timer.data = load->due.data = load;
	if (fd < 0 || !load->pairs || make_value(load))
		return np_fail(err, -ENOMEM, "out of memory");
	for (i = 0; i < load->nr_pairs; i++) {
		ret = start_pair(load, i, err);
		if (ret)
			return ret;
	}
	set_timer(load, DRAIN_S);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double quantile_ms(const struct load *load, double q)
{
	return load->nr_latencies ? load->latencies[(size_t)(q * (double)(load->nr_latencies - 1))] /
					    1000. :
				    0.;
}

static int write_latencies(const struct load *load)
{
	FILE *file = fopen(load->bench->latencies, "we");
	size_t i;

	for (i = 0; file && i < load->nr_latencies; i++)
		fprintf(file, "%" PRIu32 "\n", load->latencies[i]);
	return file && !fclose(file) ? 0 : -EIO;
}

static int report(struct load *load)
{
	uint64_t sent = 0, got = 0;
	double s = (double)(load->to_ns - load->from_ns) / 1e9;
	size_t i;

	for (i = 0; i < load->nr_pairs; i++) {
		sent += load->pairs[i].sent;
		got += load->pairs[i].delivered;
	}
	if (load->nr_latencies)
		qsort(load->latencies, load->nr_latencies, sizeof(*load->latencies), by_value);
	printf("{\"sent\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"rate\":%.1f,"
	       "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f}\n",
	       sent, sent - got, load->doubled, s > 0 ? (double)load->delivered / s : 0.,
	       quantile_ms(load, 0.5), quantile_ms(load, 0.99), quantile_ms(load, 0.999),
	       quantile_ms(load, 1.));
	if (load->bench->latencies && write_latencies(load)) {
		fprintf(stderr, "atbench: %s: cannot write\n", load->bench->latencies);
		return 1;
	}
	return sent != got || load->doubled || !load->delivered;
}

static void finish(struct load *load)
{
	int fd = load->due.fd;
	size_t i;

	ev_io_stop(load->bench->loop, &load->due);
	ev_timer_stop(load->bench->loop, &load->timer);
	np_fd_close(&fd);
	for (i = 0; load->pairs && i < load->nr_pairs; i++) {
		struct pair *pair = &load->pairs[i];

		np_at_conn_close(pair->send);
		np_at_conn_close(pair->monitor);
		np_at_keys_free(pair->sender.keys);
		np_at_keys_free(pair->receiver.keys);
		free(pair->seen);
	}
	free(load->pairs);
	free(load->latencies);
}

int atbench_notify(struct atbench *bench)
{
	struct load load = {.bench = bench};
	struct np_err err = NP_ERR_INIT;
	int status = 1;

	if (start(&load, &err))
		fprintf(stderr, "atbench: cannot start: %s\n", np_err_text(&err));
	else
		ev_run(bench->loop, 0);
	if (!err.code && !load.failed)
		status = report(&load);
	finish(&load);
	return status;
}
