// SPDX-License-Identifier: BSD-3-Clause
#include "detached.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "conf.h"
#include "crypto/b64.h"
#include "ev/child.h"
#include "net/linebuf.h"
#include "session.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRETS_FD 3
#define SECRET_MAX 32 /* a raw AES-256 key; an IV is shorter */
#define START_TIMEOUT_S 15.
#define READY_LINE "rv started successfully"

struct detached {
	struct ev_loop *loop;
	ev_io stderr_io; /* fd -1 when closed */
	ev_timer deadline;
	struct np_linebuf lines;
	char last_line[200];
	void (*on_ready)(const struct np_err *err, void *arg);
	void *arg;
};

static int add_secret(struct np_secret *text, const char *key, const struct np_secret *raw)
{
	char b64[NP_B64_LEN(SECRET_MAX) + 1];
	char line[NP_B64_LEN(SECRET_MAX) + 32];
	struct np_secret joined = NP_SECRET_INIT;
	int n, ret;

	if (raw->len > SECRET_MAX)
		return -EINVAL;
	np_b64_encode(raw->data, raw->len, b64);
	n = snprintf(line, sizeof(line), "%s=%s\n", key, b64);
	ret = np_secret_alloc(&joined, text->len + (size_t)n);
	if (!ret) {
		if (text->len)
			memcpy(joined.data, text->data, text->len);
		memcpy(joined.data + text->len, line, (size_t)n);
		np_secret_take(text, &joined);
	}
	np_wipe(b64, sizeof(b64));
	np_wipe(line, sizeof(line));
	return ret;
}

/* KEY=value lines with the names of the environment interface (noports.md 6.5). */
static int make_secrets(const struct session_result *r, struct np_secret *text)
{
	struct np_buf auth = NP_BUF_INIT;
	int ret = 0;

	if (r->auth_line.len) {
		ret = np_buf_printf(&auth, "RV_AUTH=%s\n", np_buf_str(&r->auth_line));
		if (!ret)
			ret = np_secret_set(text, auth.data, auth.len);
		np_buf_fini(&auth);
	}
	if (ret || !r->keys.key_c2d.len)
		return ret;
	ret = add_secret(text, "RV_AES_C2D", &r->keys.key_c2d);
	if (!ret)
		ret = add_secret(text, "RV_IV_C2D", &r->keys.iv_c2d);
	if (!ret && r->keys.twin)
		ret = add_secret(text, "RV_AES_D2C", &r->keys.key_d2c);
	if (!ret && r->keys.twin)
		ret = add_secret(text, "RV_IV_D2C", &r->keys.iv_d2c);
	return ret;
}

static void report(struct detached *d, const struct np_err *err)
{
	ev_io_stop(d->loop, &d->stderr_io);
	ev_timer_stop(d->loop, &d->deadline);
	d->on_ready(err, d->arg);
}

static void on_stderr(struct ev_loop *loop, ev_io *w, int revents)
{
	struct detached *d = (struct detached *)w->data;
	struct np_err err = NP_ERR_INIT;
	char chunk[512], *line;
	size_t len;
	ssize_t n;

	(void)loop;
	(void)revents;
	n = read(w->fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && np_linebuf_feed(&d->lines, chunk, (size_t)n) == 0) {
		while (np_linebuf_next(&d->lines, &line, &len) == 1) {
			if (strstr(line, READY_LINE)) {
				report(d, &err);
				return;
			}
			snprintf(d->last_line, sizeof(d->last_line), "%s", line);
			np_linebuf_drop(&d->lines);
		}
		return;
	}
	np_fail(&err, -ECONNREFUSED, "srv: did not start: %s", d->last_line[0] ? d->last_line : "no message");
	report(d, &err);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_err err = NP_ERR_INIT;

	(void)loop;
	(void)revents;
	np_fail(&err, -ETIMEDOUT, "srv: did not start within %d s", (int)START_TIMEOUT_S);
	report(w->data, &err);
}

static int spawn(const struct sshnp_conf *conf, const struct session_result *r, uint16_t local_port, int secrets,
		 int err_fd, struct np_err *err)
{
	char path[PATH_MAX], relay_port[8], port[8], fd_text[8];
	char *argv[20] = { path, "--host", (char *)(uintptr_t)r->relay.address, "--port", relay_port, "--local-host",
			   "127.0.0.1", "--local-port", port, "--bind-local-port", "--timeout", "30",
			   "--secrets-fd", fd_text };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), n = 14, ret;
	int fds[][2] = { { null, 0 }, { null, 1 }, { err_fd, 2 }, { secrets, SECRETS_FD } };
	struct np_child_params params = { .argv = argv, .fds = (const int (*)[2])fds, .nr_fds = 4, .new_session = true };

	if (conf->auth_client)
		argv[n++] = "--rv-auth";
	if (conf->encrypt)
		argv[n++] = "--rv-e2ee";
	snprintf(relay_port, sizeof(relay_port), "%u", r->relay.port_a);
	snprintf(port, sizeof(port), "%u", local_port);
	snprintf(fd_text, sizeof(fd_text), "%d", SECRETS_FD);
	ret = np_child_sibling("srv", path, sizeof(path));
	if (!ret)
		ret = np_child_start(&params, NULL, err);
	np_fd_close(&null);
	return ret;
}

int detached_start(struct ev_loop *loop, const struct sshnp_conf *conf, const struct session_result *result,
		   uint16_t local_port, void (*on_ready)(const struct np_err *err, void *arg), void *arg,
		   struct detached **out, struct np_err *err)
{
	struct detached *d = calloc(1, sizeof(*d));
	struct np_secret text = NP_SECRET_INIT;
	int secrets[2] = { -1, -1 }, errs[2] = { -1, -1 }, ret = -ENOMEM;

	if (!d)
		return np_fail(err, -ENOMEM, "out of memory");
	if (pipe2(secrets, O_CLOEXEC) || pipe2(errs, O_CLOEXEC))
		ret = np_fail_errno(err, errno, "cannot make a pipe");
	else
		ret = make_secrets(result, &text);
	/* A pipe takes this little text without a reader. */
	if (!ret)
		ret = np_fd_write_all(secrets[1], text.data ? (const void *)text.data : "", text.len);
	np_secret_fini(&text);
	np_fd_close(&secrets[1]);
	if (!ret)
		ret = spawn(conf, result, local_port, secrets[0], errs[1], err);
	np_fd_close(&secrets[0]);
	np_fd_close(&errs[1]);
	d->loop = loop;
	d->on_ready = on_ready;
	d->arg = arg;
	d->lines = (struct np_linebuf)NP_LINEBUF_INIT(4096);
	ev_io_init(&d->stderr_io, on_stderr, errs[0], EV_READ);
	ev_timer_init(&d->deadline, on_deadline, START_TIMEOUT_S, 0.);
	d->stderr_io.data = d->deadline.data = d;
	if (ret) {
		detached_free(d);
		return err && err->code ? ret : np_fail_errno(err, ret, "srv: cannot start");
	}
	np_fd_set_nonblock(errs[0]);
	ev_io_start(loop, &d->stderr_io);
	ev_timer_start(loop, &d->deadline);
	*out = d;
	return 0;
}

void detached_free(struct detached *d)
{
	int fd;

	if (!d)
		return;
	fd = d->stderr_io.fd;
	ev_io_stop(d->loop, &d->stderr_io);
	ev_timer_stop(d->loop, &d->deadline);
	np_fd_close(&fd);
	np_linebuf_fini(&d->lines);
	free(d);
}
