// SPDX-License-Identifier: BSD-3-Clause
/*
 *	STARTING --start line--> RUNNING --exit--> freed
 *	STARTING --"Exception" line, end of stderr, 15 s--> FAILED --exit--> freed
 *
 * srv runs in a session of its own with nothing inherited but /dev/null, its stderr and the pipe
 * of secrets, so that it outlives us: a restart of the daemon ends no session.
 */
#include "noports/srvproc.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "crypto/b64.h"
#include "crypto/rsa.h"
#include "ev/child.h"
#include "net/linebuf.h"
#include "net/sock.h"
#include "noports/escr.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_S 15.
#define START_LINE "rv started successfully"
#define FAIL_LINE "Exception running srv"
#define LINE_MAX_LEN 4096
#define LAST_READS 64
#define SECRETS_FD 3
#define SECRETS_MAX 8192

enum srv_state { STARTING, RUNNING, FAILED };

struct np_srv {
	struct ev_loop *loop;
	enum srv_state state;
	struct np_child *child;
	ev_io out; /* its stderr; fd -1 when done with */
	ev_timer deadline;
	struct np_linebuf lines;
	char last[200];
	void (*on_started)(struct np_srv *srv, const struct np_err *err, void *arg);
	void (*on_exit)(struct np_srv *srv, int status, void *arg);
	void *arg;
};

/* ---- what goes in ---- */

static int put(struct np_secret *text, const char *name, const void *value, size_t len)
{
	int n = snprintf((char *)text->data + text->len, SECRETS_MAX - text->len, "%s=%.*s\n", name,
			 (int)len, (const char *)value);

	if (n < 0 || (size_t)n >= SECRETS_MAX - text->len)
		return -E2BIG;
	text->len += (size_t)n;
	return 0;
}

static int put_raw(struct np_secret *text, const char *name, const struct np_secret *raw)
{
	char b64[NP_B64_LEN(32) + 1];
	size_t len;
	int ret;

	if (raw->len > 32)
		return -EINVAL;
	len = np_b64_encode(raw->data, raw->len, b64);
	ret = put(text, name, b64, len);
	np_wipe(b64, sizeof(b64));
	return ret;
}

static int put_escr(struct np_secret *text, const struct np_escr *escr)
{
	struct np_secret key = NP_SECRET_INIT;
	int ret;

	if ((ret = put(text, "REMOTE_AUTH_ESCR_SESSION_ID", escr->sid, strlen(escr->sid))) ||
	    (ret = put(text, "REMOTE_AUTH_ESCR_PUB_KEY_URI", escr->uri, strlen(escr->uri))) ||
	    (ret = put_raw(text, "REMOTE_AUTH_ESCR_AES_KEY", &escr->aes_key)) ||
	    (ret = put(text, "REMOTE_AUTH_ESCR_IS_SIDE_A", escr->is_side_a ? "true" : "false",
		       escr->is_side_a ? 4 : 5)))
		return ret;
	ret = np_rsa_private_b64(escr->key, &key);
	if (!ret)
		ret = put(text, "REMOTE_AUTH_ESCR_SIGNING_PRIVKEY", key.data, key.len);
	np_secret_fini(&key);
	return ret;
}

/* KEY=value lines with the names of the environment interface (noports.md 6.5). */
static int make_secrets(const struct np_srv_params *p, struct np_secret *text)
{
	const struct np_session_keys *k = p->keys;
	int ret = np_secret_alloc(text, SECRETS_MAX);

	if (ret)
		return ret;
	text->len = 0;
	if (p->auth_line)
		ret = put(text, "RV_AUTH", p->auth_line, strlen(p->auth_line));
	if (!ret && p->escr)
		ret = put_escr(text, p->escr);
	if (ret || !k || !k->key_c2d.len)
		return ret;
	if ((ret = put_raw(text, "RV_AES_C2D", &k->key_c2d)) ||
	    (ret = put_raw(text, "RV_IV_C2D", &k->iv_c2d)) || !k->twin)
		return ret;
	ret = put_raw(text, "RV_AES_D2C", &k->key_d2c);
	return ret ? ret : put_raw(text, "RV_IV_D2C", &k->iv_d2c);
}

/* A pipe holds this little text before anybody reads it. */
static int secrets_pipe(const struct np_srv_params *p, int *read_end)
{
	struct np_secret text = NP_SECRET_INIT;
	int fds[2], ret;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	ret = make_secrets(p, &text);
	if (!ret)
		ret = np_fd_write_all(fds[1], text.data, text.len);
	np_secret_fini(&text);
	np_fd_close(&fds[1]);
	if (ret)
		np_fd_close(&fds[0]);
	*read_end = fds[0];
	return ret;
}

/* ---- what comes out ---- */

static void close_out(struct np_srv *srv)
{
	int fd = srv->out.fd;

	ev_io_stop(srv->loop, &srv->out);
	ev_timer_stop(srv->loop, &srv->deadline);
	np_fd_close(&fd);
	srv->out.fd = -1;
	np_linebuf_fini(&srv->lines);
}

static void free_srv(struct np_srv *srv)
{
	if (srv->out.fd >= 0)
		close_out(srv);
	free(srv);
}

static void started(struct np_srv *srv, const struct np_err *err)
{
	close_out(srv);
	srv->state = err->code ? FAILED : RUNNING;
	srv->on_started(srv, err, srv->arg);
}

static void failed(struct np_srv *srv, const char *line)
{
	const char *why = strstr(line, FAIL_LINE ": ");
	struct np_err err = NP_ERR_INIT;

	if (why)
		line = why + strlen(FAIL_LINE ": ");
	np_fail(&err, -EIO, "%s", *line ? line : "srv ended without a message");
	started(srv, &err);
}

/* Return: false when the start is decided. */
static bool take_line(struct np_srv *srv, const char *line)
{
	struct np_err none = NP_ERR_INIT;

	if (strstr(line, START_LINE)) {
		started(srv, &none);
		return false;
	}
	if (strstr(line, FAIL_LINE)) {
		failed(srv, line);
		return false;
	}
	snprintf(srv->last, sizeof(srv->last), "%.*s", (int)sizeof(srv->last) - 1, line);
	return true;
}

static void on_output(struct ev_loop *loop, ev_io *w, int revents)
{
	struct np_srv *srv = w->data;
	char chunk[512], copy[512], *line;
	size_t len;
	ssize_t n;

	(void)loop;
	(void)revents;
	n = read(w->fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || np_linebuf_feed(&srv->lines, chunk, (size_t)n)) {
		failed(srv, srv->last);
		return;
	}
	while (np_linebuf_next(&srv->lines, &line, &len) == 1) {
		snprintf(copy, sizeof(copy), "%s", line);
		np_linebuf_drop(&srv->lines);
		if (!take_line(srv, copy))
			return;
	}
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_err err = NP_ERR_INIT;
	struct np_srv *srv = w->data;

	(void)loop;
	(void)revents;
	(void)kill(np_child_pid(srv->child), SIGTERM);
	np_fail(&err, -ETIMEDOUT, "srv did not start within %d s", (int)START_S);
	started(srv, &err);
}

static void on_exit_status(struct np_child *child, int status, void *arg)
{
	struct np_srv *srv = arg;
	unsigned int i;

	(void)child;
	srv->child = NULL;
	/* Its last words may still be in the pipe. */
	for (i = 0; i < LAST_READS && srv->state == STARTING; i++)
		on_output(srv->loop, &srv->out, EV_READ);
	if (srv->state == STARTING)
		failed(srv, srv->last);
	if (srv->state == RUNNING && srv->on_exit)
		srv->on_exit(srv, status, srv->arg);
	free_srv(srv);
}

/* ---- start ---- */

static int spawn(struct np_srv *srv, const struct np_srv_params *p, int secrets, int err_fd,
		 struct np_err *err)
{
	char path[PATH_MAX], port[8], local_port[8], timeout[24], fd_text[8];
	const char *argv[24] = { path,
				 "--host",
				 p->relay_host,
				 "--port",
				 port,
				 "--local-port",
				 local_port,
				 "--timeout",
				 timeout,
				 "--secrets-fd",
				 fd_text,
				 "--local-host",
				 p->local_host ? p->local_host : "localhost" };
	int n = 13, null = open("/dev/null", O_RDWR | O_CLOEXEC), ret;
	int fds[][2] = { { null, 0 }, { null, 1 }, { err_fd, 2 }, { secrets, SECRETS_FD } };
	struct np_child_params params = {
		.argv = (char *const *)(uintptr_t)argv,
		.fds = (const int(*)[2])fds,
		.nr_fds = 4,
		.new_session = true,
		.loop = p->loop,
		.on_exit = on_exit_status,
		.arg = srv,
	};

	if (null < 0)
		return np_fail_errno(err, errno, "/dev/null");
	snprintf(port, sizeof(port), "%u", p->relay_port);
	snprintf(local_port, sizeof(local_port), "%u", p->local_port);
	snprintf(timeout, sizeof(timeout), "%llu",
		 (unsigned long long)(p->timeout_s ? p->timeout_s : 30));
	snprintf(fd_text, sizeof(fd_text), "%d", SECRETS_FD);
	if (p->side == NP_BRIDGE_CLIENT)
		argv[n++] = "--bind-local-port";
	if (p->auth_line)
		argv[n++] = "--rv-auth";
	if (p->escr) {
		argv[n++] = "--relay-auth-mode";
		argv[n++] = "escr";
	}
	if (p->keys && p->keys->key_c2d.len)
		argv[n++] = "--rv-e2ee";
	if (p->multi)
		argv[n++] = "--multi";
	if (p->multi && !p->heartbeats) {
		argv[n++] = "--heartbeat";
		argv[n++] = "0";
	}
	ret = np_child_sibling("srv", path, sizeof(path));
	if (ret)
		np_fail_errno(err, ret, "srv: cannot be located");
	else
		ret = np_child_start(&params, &srv->child, err);
	np_fd_close(&null);
	return ret;
}

int np_srv_start(const struct np_srv_params *params, struct np_srv **out, struct np_err *err)
{
	int secrets = -1, pipe_fds[2] = { -1, -1 }, ret;
	struct np_srv *srv = calloc(1, sizeof(*srv));

	if (!srv)
		return np_fail(err, -ENOMEM, "srv: out of memory");
	srv->loop = params->loop;
	srv->on_started = params->on_started;
	srv->on_exit = params->on_exit;
	srv->arg = params->arg;
	srv->lines = (struct np_linebuf)NP_LINEBUF_INIT(LINE_MAX_LEN);
	srv->out.fd = -1;
	ret = secrets_pipe(params, &secrets);
	if (!ret && pipe2(pipe_fds, O_CLOEXEC) < 0)
		ret = -errno;
	if (ret)
		np_fail_errno(err, ret, "srv: cannot hand over its secrets");
	else
		ret = spawn(srv, params, secrets, pipe_fds[1], err);
	np_fd_close(&secrets);
	np_fd_close(&pipe_fds[1]);
	if (ret) {
		np_fd_close(&pipe_fds[0]);
		free(srv);
		return ret;
	}
	(void)np_fd_set_nonblock(pipe_fds[0]);
	ev_io_init(&srv->out, on_output, pipe_fds[0], EV_READ);
	ev_timer_init(&srv->deadline, on_deadline, START_S, 0.);
	srv->out.data = srv->deadline.data = srv;
	ev_now_update(srv->loop);
	ev_io_start(srv->loop, &srv->out);
	ev_timer_start(srv->loop, &srv->deadline);
	*out = srv;
	return 0;
}

void np_srv_forget(struct np_srv *srv)
{
	if (!srv)
		return;
	np_child_forget(srv->child);
	free_srv(srv);
}

pid_t np_srv_pid(const struct np_srv *srv)
{
	return np_child_pid(srv->child);
}

int np_srv_pick_port(const char *ip, uint16_t *port, struct np_err *err)
{
	struct np_addr addr;
	int fd = np_sock_listen(strcmp(ip, "localhost") ? ip : "127.0.0.1", *port, 1, err), ret;

	if (fd < 0)
		return np_err_prefix(err, "local port %u", *port);
	ret = np_sock_local(fd, &addr);
	np_fd_close(&fd);
	*port = np_addr_port(&addr);
	return ret;
}
