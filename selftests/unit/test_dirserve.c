// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/dirserve.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "crypto/cert.h"
#include "harness/ktap.h"
#include "net/sock.h"
#include "store/store.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static struct ev_loop *loop;
static struct np_tls_ctx *server_ctx, *client_ctx;
static struct np_dirserve *ds;
static struct np_store *store;
static char dir[64], db[96], ca_path[96], ca_key[96], cert_path[96], cert_key[96];

/* A client that notes every TLS record it gets as "[record]", CR and LF as ~ and |. */
struct client {
	struct np_tls *tls;
	struct np_buf seen;
	size_t nr_bytes;
	bool ready, closed;
	int code;
};

static void on_ready(struct np_tls *tls, void *arg)
{
	(void)tls;
	((struct client *)arg)->ready = true;
}

static void on_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct client *client = arg;
	size_t i;

	(void)tls;
	client->nr_bytes += len;
	np_buf_append_str(&client->seen, "[");
	for (i = 0; i < len; i++)
		np_buf_printf(&client->seen, "%c",
			      data[i] == '\r'	? '~'
			      : data[i] == '\n' ? '|'
						: data[i]);
	np_buf_append_str(&client->seen, "]");
}

static void on_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	struct client *client = arg;

	(void)tls;
	client->closed = true;
	client->code = err->code;
}

static const struct np_tls_ops client_ops = {
	.ready = on_ready, .data = on_data, .closed = on_closed};

static void on_deadline(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)revents;
	*(bool *)w->data = true;
}

/* Runs the loop until @cond or for @ms milliseconds. Return: whether it came true. */
static bool run_until(bool (*cond)(void *arg), void *arg, int ms)
{
	bool over = false;
	ev_timer timer;

	ev_timer_init(&timer, on_deadline, ms / 1000., 0.);
	timer.data = &over;
	ev_timer_start(loop, &timer);
	while (!over && !(cond && cond(arg)))
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &timer);
	return cond && cond(arg);
}

static bool is_ready(void *arg)
{
	return ((struct client *)arg)->seen.len || ((struct client *)arg)->closed;
}

static bool is_closed(void *arg)
{
	return ((struct client *)arg)->closed;
}

static const char *expected;

static bool has_expected(void *arg)
{
	return !strcmp(np_buf_str(&((struct client *)arg)->seen), expected) ||
	       ((struct client *)arg)->closed;
}

static int raw_connect(void)
{
	struct np_addr addr;

	np_addr_parse("127.0.0.1", np_dirserve_port(ds), &addr);
	return np_sock_connect_start(&addr);
}

static void client_open(struct client *client)
{
	struct np_err err = NP_ERR_INIT;

	memset(client, 0, sizeof(*client));
	KTAP_EQ(np_tls_connect(loop, client_ctx, raw_connect(), "localhost", &client_ops, client,
			       &client->tls, &err),
		0);
	KTAP_OK(run_until(is_ready, client, 5000));
	KTAP_STREQ(np_buf_str(&client->seen), "[@]");
	np_buf_consume(&client->seen, client->seen.len);
}

static void client_done(struct client *client)
{
	np_tls_close(client->tls);
	np_buf_fini(&client->seen);
}

/* Sends @text; what comes must be exactly @want, record by record. */
static void ask(struct client *client, const char *text, const char *want, int ms)
{
	KTAP_EQ(np_tls_write(client->tls, text, strlen(text)), 0);
	expected = want;
	run_until(has_expected, client, ms);
	KTAP_STREQ(np_buf_str(&client->seen), want);
	np_buf_consume(&client->seen, client->seen.len);
}

#define QUICK 700 /* well below the delay of a miss */

static void answers_in_one_record(void)
{
	struct client c;

	client_open(&c);
	ask(&c, "alice\n", "[h.example:6464~|@]", QUICK);
	ask(&c, "ALICE\r\n", "[h.example:6464~|@]", QUICK);
	ask(&c, "  @Alice \n", "[h.example:6464~|@]", QUICK);
	ask(&c, "bob_2\n", "[192.0.2.1:65535~|@]", QUICK);
	client_done(&c);
}

static void blank_lines_are_no_misses(void)
{
	struct client c;

	client_open(&c);
	ask(&c, "\r\n", "[null~|@]", QUICK);
	ask(&c, "\n", "[null~|@]", QUICK);
	ask(&c, " \t\r\n", "[null~|@]", QUICK);
	ask(&c, "nobody\n", "[null~|@]", QUICK);
	ask(&c, "alice\n", "[h.example:6464~|@]", QUICK);
	client_done(&c);
}

static void exit_closes_in_order(void)
{
	static const char *const forms[] = {"@exit\n", "@exit", "@EXIT\r\n", " @exit"};
	struct client c;
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		client_open(&c);
		np_tls_write(c.tls, forms[i], strlen(forms[i]));
		KTAP_OK(run_until(is_closed, &c, QUICK));
		KTAP_EQ(c.code, 0);
		KTAP_EQ(c.seen.len, 0);
		client_done(&c);
	}
	/* What was asked before is still answered. */
	client_open(&c);
	np_tls_write(c.tls, "alice\nalice\n@exit\nalice\n", 24);
	KTAP_OK(run_until(is_closed, &c, QUICK));
	KTAP_STREQ(np_buf_str(&c.seen), "[h.example:6464~|@][h.example:6464~|@]");
	client_done(&c);
}

static void byte_by_byte(void)
{
	static const char text[] = "\r\nalice\r\nbob_2\n";
	struct client c;
	size_t i;

	client_open(&c);
	for (i = 0; i + 1 < sizeof(text); i++) {
		np_tls_write(c.tls, text + i, 1);
		run_until(NULL, NULL, 2);
	}
	expected = "[null~|@][h.example:6464~|@][192.0.2.1:65535~|@]";
	run_until(has_expected, &c, QUICK);
	KTAP_STREQ(np_buf_str(&c.seen), expected);
	client_done(&c);
}

static void long_requests_destroy_the_connection(void)
{
	char text[400];
	struct client c;

	memset(text, 'x', sizeof(text));
	client_open(&c);
	text[NP_DIRSERVE_REQUEST_MAX] = '\n';
	text[NP_DIRSERVE_REQUEST_MAX + 1] = '\0';
	ask(&c, text, "[null~|@]", QUICK);
	client_done(&c);
	text[NP_DIRSERVE_REQUEST_MAX] = 'x';
	client_open(&c);
	np_tls_write(c.tls, text, NP_DIRSERVE_REQUEST_MAX + 1);
	KTAP_OK(run_until(is_closed, &c, QUICK));
	KTAP_EQ(c.seen.len, 0);
	client_done(&c);
	client_open(&c);
	np_tls_write(c.tls, "alice\0 \n", 8);
	expected = "[null~|@]";
	KTAP_OK(run_until(has_expected, &c, QUICK));
	client_done(&c);
}

static void misses_are_slowed_down(void)
{
	long long start;
	struct client c;

	client_open(&c);
	ask(&c, "nobody\n", "[null~|@]", QUICK);
	start = np_clock_mono_ms();
	/* What comes behind the second miss waits with it. */
	ask(&c, "a;b\nalice\n", "[null~|@][h.example:6464~|@]", 3000);
	KTAP_OK(np_clock_mono_ms() - start >= 900);
	KTAP_OK(np_clock_mono_ms() - start < 2000);
	start = np_clock_mono_ms();
	np_tls_write(c.tls, "nobody\n", 7);
	KTAP_OK(run_until(is_closed, &c, 3000));
	KTAP_OK(np_clock_mono_ms() - start < 2000);
	KTAP_EQ(c.seen.len, 0);
	client_done(&c);
}

static void what_cannot_be_served_is_unknown(void)
{
	struct client c;

	client_open(&c);
	ask(&c, "six\n", "[null~|@]", QUICK);
	client_done(&c);
	client_open(&c);
	ask(&c, "noport\n", "[null~|@]", QUICK);
	client_done(&c);
}

static void faults_are_not_called_unknown(void)
{
	struct client c;

	client_open(&c);
	np_tls_write(c.tls, "broken\n", 7);
	KTAP_OK(run_until(is_closed, &c, QUICK));
	KTAP_EQ(c.seen.len, 0);
	client_done(&c);
}

#define FLOOD 60000

static bool has_flood(void *arg)
{
	return ((struct client *)arg)->nr_bytes >=
	       (size_t)FLOOD * (sizeof("h.example:6464\r\n@") - 1) + 1;
}

/*
 * A client that asks without end and reads nothing: its requests wait, and every one is answered
 * later.
 */
static void slow_readers_wait(void)
{
	struct client c;
	int i;

	client_open(&c);
	np_tls_read_pause(c.tls, true);
	for (i = 0; i < FLOOD; i++)
		np_tls_write(c.tls, "alice\n", 6);
	run_until(NULL, NULL, 300);
	np_tls_read_pause(c.tls, false);
	KTAP_OK(run_until(has_flood, &c, 30000));
	KTAP_EQ(c.nr_bytes, (size_t)FLOOD * (sizeof("h.example:6464\r\n@") - 1) + 1);
	client_done(&c);
}

static void half_open_connections_make_room(void)
{
	struct rlimit lim;
	struct client c;
	char byte;
	int fds[NP_DIRSERVE_CONNS_MAX], i;

	getrlimit(RLIMIT_NOFILE, &lim);
	if (lim.rlim_max < 2 * NP_DIRSERVE_CONNS_MAX + 64)
		KTAP_SKIP("the descriptor limit is too low");
	lim.rlim_cur = 2 * NP_DIRSERVE_CONNS_MAX + 64;
	KTAP_EQ(setrlimit(RLIMIT_NOFILE, &lim), 0);
	for (i = 0; i < NP_DIRSERVE_CONNS_MAX; i++) {
		fds[i] = raw_connect();
		KTAP_OK(fds[i] >= 0);
		run_until(NULL, NULL, 0);
	}
	run_until(NULL, NULL, 50);
	client_open(&c);
	ask(&c, "alice\n", "[h.example:6464~|@]", QUICK);
	KTAP_EQ(read(fds[0], &byte, 1), 0);
	KTAP_EQ(read(fds[NP_DIRSERVE_CONNS_MAX - 1], &byte, 1), -1);
	for (i = 0; i < NP_DIRSERVE_CONNS_MAX; i++)
		close(fds[i]);
	client_done(&c);
}

static int lookup(const char *atsign, struct np_dirserve_answer *answer, void *arg)
{
	return strcmp(atsign, "@broken") ? np_dirserve_lookup_store(atsign, answer, arg) : -EIO;
}

static void put(const char *atsign, const char *host, uint16_t port)
{
	struct np_dir_entry entry = {.atsign = atsign, .host = host, .port = port};

	store->ops->dir_put(store, &entry, true, NULL);
}

static int set_up(void)
{
	const char *const hosts[] = {"localhost"};
	const struct np_cert_params params = {.name = "test", .hosts = hosts, .nr_hosts = 1};
	struct np_cert *ca = NULL, *cert = NULL;
	int ret;

	snprintf(dir, sizeof(dir), "/tmp/np-dirserve-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(db, sizeof(db), "%s/s.db", dir);
	snprintf(ca_path, sizeof(ca_path), "%s/ca.pem", dir);
	snprintf(ca_key, sizeof(ca_key), "%s/ca.key", dir);
	snprintf(cert_path, sizeof(cert_path), "%s/s.pem", dir);
	snprintf(cert_key, sizeof(cert_key), "%s/s.key", dir);
	ret = np_cert_make_ca(&params, &ca, NULL) ||
	      np_cert_make_server(ca, &params, &cert, NULL) ||
	      np_cert_save(ca, ca_path, ca_key, NULL) ||
	      np_cert_save(cert, cert_path, cert_key, NULL) ||
	      np_tls_server_ctx(cert_path, cert_key, ca_path, &server_ctx, NULL) ||
	      np_tls_client_ctx(ca_path, NULL, NULL, &client_ctx, NULL) ||
	      np_store_open_sqlite(db, false, &store, NULL);
	np_cert_free(ca);
	np_cert_free(cert);
	if (ret)
		return ret;
	put("@alice", "h.example", 6464);
	put("@bob_2", "192.0.2.1", 65535);
	put("@six", "2001:db8::1", 64);
	put("@noport", "h.example", 0);
	loop = ev_loop_new(0);
	return np_dirserve_open(loop, server_ctx, np_sock_listen("127.0.0.1", 0, 4096, NULL),
				lookup, store, &ds, NULL);
}

int main(void)
{
	char cmd[96];

	signal(SIGPIPE, SIG_IGN);
	if (set_up())
		return 1;
	KTAP_RUN(answers_in_one_record);
	KTAP_RUN(blank_lines_are_no_misses);
	KTAP_RUN(exit_closes_in_order);
	KTAP_RUN(byte_by_byte);
	KTAP_RUN(long_requests_destroy_the_connection);
	KTAP_RUN(misses_are_slowed_down);
	KTAP_RUN(what_cannot_be_served_is_unknown);
	KTAP_RUN(faults_are_not_called_unknown);
	KTAP_RUN(slow_readers_wait);
	KTAP_RUN(half_open_connections_make_room);
	np_dirserve_close(ds);
	np_store_close(store);
	np_tls_ctx_free(server_ctx);
	np_tls_ctx_free(client_ctx);
	ev_loop_destroy(loop);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) | ktap_done();
}
