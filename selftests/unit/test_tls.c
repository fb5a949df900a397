// SPDX-License-Identifier: BSD-3-Clause
#include "tls/tls.h"

#include "atfake.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/cert.h"
#include "harness/ktap.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end of a connection over a socket pair. */
struct end {
	struct np_tls *tls;
	bool is_ready, is_closed, is_drained;
	struct np_err err;
	struct np_buf in;
	unsigned int nr_data;
	bool close_in_ready, close_in_data;
};

static struct fake_world w;
static struct end client, server;

static void on_ready(struct np_tls *tls, void *arg)
{
	struct end *e = arg;

	e->is_ready = true;
	KTAP_OK(np_tls_is_ready(tls));
	if (e->close_in_ready) {
		np_tls_close(tls);
		e->tls = NULL;
	}
}

static void on_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct end *e = arg;

	e->nr_data++;
	np_buf_append(&e->in, data, len);
	if (e->close_in_data) {
		np_tls_close(tls);
		e->tls = NULL;
	}
}

static void on_drained(struct np_tls *tls, void *arg)
{
	KTAP_EQ(np_tls_queued(tls), 0);
	((struct end *)arg)->is_drained = true;
}

static void on_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	struct end *e = arg;

	KTAP_OK(!e->is_closed);
	e->is_closed = true;
	e->err = *err;
	np_tls_close(tls);
	e->tls = NULL;
}

static const struct np_tls_ops ops = {
	.ready = on_ready, .data = on_data, .drained = on_drained, .closed = on_closed};

static void connect_pair(const char *host, struct np_tls_ctx *client_ctx)
{
	struct np_err err = NP_ERR_INIT;
	int fd[2];

	memset(&client, 0, sizeof(client));
	memset(&server, 0, sizeof(server));
	KTAP_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	KTAP_EQ(np_tls_connect(w.loop, client_ctx, fd[0], host, &ops, &client, &client.tls, &err),
		0);
	KTAP_EQ(np_tls_accept(w.loop, w.server_tls, fd[1], &ops, &server, &server.tls, &err), 0);
}

static void end_pair(void)
{
	np_tls_close(client.tls);
	np_tls_close(server.tls);
	np_buf_fini(&client.in);
	np_buf_fini(&server.in);
}

static bool both_ready(void *arg)
{
	(void)arg;
	return client.is_ready && server.is_ready;
}

static bool server_has(void *arg)
{
	return server.in.len >= *(const size_t *)arg;
}

static void exchange_and_orderly_end(void)
{
	size_t want = 5;

	connect_pair("127.0.0.1", w.client_tls);
	/* written before the handshake: waits for it */
	KTAP_EQ(np_tls_write(client.tls, "early", 5), 0);
	KTAP_OK(fake_wait(&w, both_ready, NULL, 5000));
	KTAP_OK(fake_wait(&w, server_has, &want, 5000));
	KTAP_STREQ(np_buf_str(&server.in), "early");
	KTAP_EQ(np_tls_write(server.tls, "back", 4), 0);
	np_tls_close(server.tls);
	server.tls = NULL;
	KTAP_OK(fake_run(&w, &client.is_closed, 5000));
	KTAP_EQ(client.err.code, 0);
	KTAP_STREQ(np_buf_str(&client.in), "back");
	end_pair();
}

static void one_write_is_one_record(void)
{
	static char text[16384];
	size_t want = sizeof(text);

	memset(text, 'x', sizeof(text));
	connect_pair("127.0.0.1", w.client_tls);
	KTAP_OK(fake_wait(&w, both_ready, NULL, 5000));
	KTAP_EQ(np_tls_write(client.tls, text, sizeof(text)), 0);
	KTAP_OK(fake_wait(&w, server_has, &want, 5000));
	KTAP_EQ(server.nr_data, 1);
	end_pair();
}

static void much_data_with_a_pausing_reader(void)
{
	size_t total = 4 << 20, part = 100000, want = total, i;
	uint8_t *data = malloc(total);
	bool never = false;

	for (i = 0; i < total; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	connect_pair("127.0.0.1", w.client_tls);
	KTAP_OK(fake_wait(&w, both_ready, NULL, 5000));
	np_tls_read_pause(server.tls, true);
	for (i = 0; i < total; i += part)
		KTAP_EQ(np_tls_write(client.tls, data + i, total - i < part ? total - i : part), 0);
	fake_run(&w, &never, 50);
	KTAP_EQ(server.in.len, 0);
	KTAP_OK(np_tls_queued(client.tls) > 0 && !client.is_drained);
	np_tls_read_pause(server.tls, false);
	KTAP_OK(fake_wait(&w, server_has, &want, 20000));
	KTAP_EQ(server.in.len, total);
	KTAP_OK(!memcmp(server.in.data, data, total));
	KTAP_OK(client.is_drained);
	free(data);
	end_pair();
}

static void flush_sends_all_before_it_closes(void)
{
	size_t total = 1 << 20, want = total;
	uint8_t *data = calloc(1, total);

	connect_pair("127.0.0.1", w.client_tls);
	KTAP_OK(fake_wait(&w, both_ready, NULL, 5000));
	KTAP_EQ(np_tls_write(client.tls, data, total), 0);
	KTAP_OK(np_tls_queued(client.tls) > 0);
	np_tls_close_flush(client.tls, 5000);
	client.tls = NULL;
	KTAP_OK(fake_wait(&w, server_has, &want, 10000));
	KTAP_OK(fake_run(&w, &server.is_closed, 5000));
	KTAP_EQ(server.err.code, 0);
	free(data);
	end_pair();
}

static void flush_gives_up_on_a_stuck_reader(void)
{
	static uint8_t data[1 << 20];
	bool never = false;

	connect_pair("127.0.0.1", w.client_tls);
	KTAP_OK(fake_wait(&w, both_ready, NULL, 5000));
	np_tls_read_pause(server.tls, true);
	KTAP_EQ(np_tls_write(client.tls, data, sizeof(data)), 0);
	np_tls_close_flush(client.tls, 100);
	client.tls = NULL;
	fake_run(&w, &never, 300);
	np_tls_read_pause(server.tls, false);
	KTAP_OK(fake_run(&w, &server.is_closed, 5000));
	KTAP_OK(server.in.len < sizeof(data));
	end_pair();
}

static void expect_refusal(const char *host, struct np_tls_ctx *ctx, int code, const char *part,
			   const char *hint)
{
	connect_pair(host, ctx);
	KTAP_OK(fake_run(&w, &client.is_closed, 5000));
	KTAP_OK(!client.is_ready);
	KTAP_EQ(client.err.code, code);
	if (!strstr(client.err.msg, part) || !strstr(client.err.msg, hint))
		KTAP_FAILF("'%s' lacks '%s' or '%s'", client.err.msg, part, hint);
	/* the server hears of it too */
	KTAP_OK(fake_run(&w, &server.is_closed, 5000));
	KTAP_OK(server.err.code < 0);
	end_pair();
}

static void certificates_are_judged(void)
{
	static const struct np_cert_params other_ca = {.name = "somebody else's CA"};
	struct np_cert *other = NULL;
	struct np_tls_ctx *system = NULL;

	expect_refusal("localhost", w.client_tls, -EACCES, "hostname mismatch", "another name");
	expect_refusal("127.0.0.2", w.client_tls, -EACCES, "IP address mismatch", "another name");
	KTAP_EQ(np_tls_client_ctx(NULL, NULL, NULL, &system, NULL), 0);
	expect_refusal("127.0.0.1", system, -EACCES, "certificate refused", "--root-ca");
	np_tls_ctx_free(system);
	KTAP_EQ(np_cert_make_ca(&other_ca, &other, NULL), 0);
	fake_serve_with(&w, other, "127.0.0.1", 0, 0);
	expect_refusal("127.0.0.1", w.client_tls, -EACCES, "certificate refused", "--root-ca");
	fake_serve_with(&w, NULL, "127.0.0.1", -7200, -3600);
	expect_refusal("127.0.0.1", w.client_tls, -EACCES, "has expired", "clock");
	fake_serve_with(&w, NULL, "127.0.0.1", 3600, 7200);
	expect_refusal("127.0.0.1", w.client_tls, -EACCES, "not yet valid", "clock");
	fake_serve_with(&w, NULL, "127.0.0.1", 0, 0);
	np_cert_free(other);
}

static void peer_that_speaks_no_tls(void)
{
	struct np_err err = NP_ERR_INIT;
	int fd[2];

	memset(&client, 0, sizeof(client));
	memset(&server, 0, sizeof(server));
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd);
	KTAP_EQ(np_tls_connect(w.loop, w.client_tls, fd[0], "127.0.0.1", &ops, &client, &client.tls,
			       &err),
		0);
	KTAP_EQ(write(fd[1], "SSH-2.0-OpenSSH_9.2\r\n", 21), 21);
	KTAP_OK(fake_run(&w, &client.is_closed, 5000));
	KTAP_EQ(client.err.code, -EPROTO);
	end_pair();
	close(fd[1]);
	memset(&client, 0, sizeof(client));
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd);
	KTAP_EQ(np_tls_connect(w.loop, w.client_tls, fd[0], "127.0.0.1", &ops, &client, &client.tls,
			       &err),
		0);
	close(fd[1]);
	KTAP_OK(fake_run(&w, &client.is_closed, 5000));
	KTAP_OK(client.err.code == -ECONNRESET || client.err.code == -EPIPE);
	end_pair();
}

static void may_close_in_callbacks(void)
{
	bool never = false;

	connect_pair("127.0.0.1", w.client_tls);
	client.close_in_ready = true;
	KTAP_OK(fake_run(&w, &server.is_closed, 5000));
	end_pair();
	connect_pair("127.0.0.1", w.client_tls);
	server.close_in_data = true;
	np_tls_write(client.tls, "a", 1);
	np_tls_write(client.tls, "b", 1);
	KTAP_OK(fake_run(&w, &client.is_closed, 5000));
	KTAP_EQ(server.nr_data, 1);
	end_pair();
	/* at once, in the middle of the handshake */
	connect_pair("127.0.0.1", w.client_tls);
	end_pair();
	fake_run(&w, &never, 20);
}

static void broken_files_are_named(void)
{
	struct np_tls_ctx *ctx = NULL;
	struct np_err err = NP_ERR_INIT;
	char key[160], pem[160];

	snprintf(key, sizeof(key), "%s/server.key", w.dir);
	snprintf(pem, sizeof(pem), "%s/server.pem", w.dir);
	KTAP_EQ(np_tls_client_ctx("/nonexistent/ca.pem", NULL, NULL, &ctx, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, "/nonexistent/ca.pem: cannot load CA") != NULL);
	KTAP_EQ(np_tls_client_ctx(key, NULL, NULL, &ctx, &err), -EINVAL);
	KTAP_EQ(np_tls_server_ctx("/nonexistent/s.pem", key, NULL, &ctx, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, "/nonexistent/s.pem: cannot load certificate") != NULL);
	KTAP_EQ(np_tls_server_ctx(pem, pem, NULL, &ctx, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, "cannot load private key") != NULL);
	KTAP_EQ(np_tls_server_ctx(w.ca_path, key, NULL, &ctx, &err), -EINVAL);
	KTAP_OK(!ctx);
}

static void client_certificates_are_optional_and_judged_later(void)
{
	struct np_tls_ctx *with_cert = NULL;
	char key[160], pem[160];

	snprintf(key, sizeof(key), "%s/server.key", w.dir);
	snprintf(pem, sizeof(pem), "%s/server.pem", w.dir);
	connect_pair("127.0.0.1", w.client_tls);
	KTAP_OK(fake_wait(&w, both_ready, NULL, 5000));
	KTAP_OK(np_tls_peer_names_host(client.tls, "127.0.0.1"));
	KTAP_OK(!np_tls_peer_names_host(server.tls, "127.0.0.1"));
	end_pair();
	/* with one, but from a CA that this server (system CAs) does not know */
	KTAP_EQ(np_tls_client_ctx(w.ca_path, pem, key, &with_cert, NULL), 0);
	connect_pair("127.0.0.1", with_cert);
	KTAP_OK(fake_wait(&w, both_ready, NULL, 5000));
	KTAP_OK(!np_tls_peer_names_host(server.tls, "127.0.0.1"));
	end_pair();
	np_tls_ctx_free(w.server_tls);
	KTAP_EQ(np_tls_server_ctx(pem, key, w.ca_path, &w.server_tls, NULL), 0);
	connect_pair("127.0.0.1", with_cert);
	KTAP_OK(fake_wait(&w, both_ready, NULL, 5000));
	KTAP_OK(np_tls_peer_names_host(server.tls, "127.0.0.1"));
	KTAP_OK(!np_tls_peer_names_host(server.tls, "127.0.0.2"));
	KTAP_OK(!np_tls_peer_names_host(server.tls, ""));
	end_pair();
	np_tls_ctx_free(with_cert);
}

int main(void)
{
	fake_open(&w);
	KTAP_RUN(exchange_and_orderly_end);
	KTAP_RUN(one_write_is_one_record);
	KTAP_RUN(much_data_with_a_pausing_reader);
	KTAP_RUN(flush_sends_all_before_it_closes);
	KTAP_RUN(flush_gives_up_on_a_stuck_reader);
	KTAP_RUN(certificates_are_judged);
	KTAP_RUN(peer_that_speaks_no_tls);
	KTAP_RUN(may_close_in_callbacks);
	KTAP_RUN(broken_files_are_named);
	KTAP_RUN(client_certificates_are_optional_and_judged_later);
	fake_close(&w);
	return ktap_done();
}
