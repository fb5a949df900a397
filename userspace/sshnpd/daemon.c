// SPDX-License-Identifier: BSD-3-Clause
/* Wiring: connections, dispatch of notifications, signals, the end. */
#include "daemon.h"

#include "at/client.h"
#include "at/directory.h"
#include "at/keyfile.h"
#include "base/err.h"
#include "base/ready.h"
#include "base/str.h"
#include "tls/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTIFY_TTLN_MS 60000
#define NOOP_MS 15000
#define HEARTBEAT_MS 10000
#define REFRESH_S 3600.

void daemon_stop(struct daemon *d, int status)
{
	d->status = status;
	ev_break(d->loop, EVBREAK_ALL);
}

/* ---- outgoing ---- */

static void on_notified(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	(void)arg;
	if (err->code)
		np_warn_err(err, "notification: not sent");
}

int daemon_notify(struct daemon *d, const char *to, const char *name, const char *value, size_t len,
		  int64_t ttl_ms)
{
	char full[NP_DEVICE_MAX + 96];
	struct np_at_put put = {
		.to = to,
		.name = full,
		.value = value,
		.value_len = len,
		.ttl_ms = ttl_ms,
		.ttln_ms = NOTIFY_TTLN_MS,
	};
	int ret;

	if ((size_t)snprintf(full, sizeof(full), "%s%s", name, d->suffix) >= sizeof(full))
		return -ENAMETOOLONG;
	ret = np_at_client_notify(d->client, &put, on_notified, d);
	if (ret)
		np_warn("notification %s: not sent to=%s: %s", full, to, strerror(-ret));
	return ret;
}

/* ---- incoming ---- */

struct handler {
	const char *type;
	void (*handle)(struct daemon *d, const struct np_at_notification *note);
};

static const struct handler handlers[] = {
	{ "ping", ping_handle },
	{ "ssh_request", request_handle },
	{ "npt_request", request_handle },
	{ "sshpublickey", pubkey_handle },
};
static const struct handler own_handlers[] = {
	{ "instance", instance_handle },
};

/* The type is what stands before the exact suffix; NULL when the name is another device's
 * (noports.md 2.3). */
static const struct handler *handler_of(const struct daemon *d, const char *from, const char *name)
{
	bool own = !strcmp(from, d->conf->atsign);
	const struct handler *list = own ? own_handlers : handlers;
	size_t nr = own ? sizeof(own_handlers) / sizeof(own_handlers[0])
			: sizeof(handlers) / sizeof(handlers[0]),
	       i;
	size_t len = strlen(name), slen = strlen(d->suffix);

	if (len <= slen || strcmp(name + len - slen, d->suffix))
		return NULL;
	for (i = 0; i < nr; i++)
		if (strlen(list[i].type) == len - slen && !memcmp(list[i].type, name, len - slen))
			return &list[i];
	if (!own)
		np_debug("notification: unknown type ignored name=%.80s from=%s", name, from);
	return NULL;
}

/* Asked before anything is decrypted: who is not a manager costs us next to nothing and hears
 * nothing. */
static bool on_want(const char *from, const char *name, void *arg)
{
	struct daemon *d = arg;

	if (!strcmp(from, d->conf->atsign) || sshnpd_conf_is_manager(d->conf, from))
		return handler_of(d, from, name) != NULL;
	if (np_str_ends(name, d->suffix) && np_log_may(&d->denied_limit, 10, 60000))
		np_warn("request: denied, not a manager: from=%s name=%.80s", from, name);
	return false;
}

static void on_note(const struct np_at_notification *note, void *arg)
{
	struct daemon *d = arg;
	const struct handler *handler = handler_of(d, note->from, note->name);

	rest_soon(d);
	if (handler && !note->is_delete && note->value)
		handler->handle(d, note);
}

static void on_bad(const char *from, const char *key, const struct np_err *err, void *arg)
{
	struct daemon *d = arg;

	if (np_log_may(&d->bad_limit, 10, 60000))
		np_warn_err(err, "notification: cannot be read from=%s key=%.80s", from, key);
}

/* ---- life ---- */

static void announce_ready(struct daemon *d)
{
	char line[NP_ATSIGN_MAX + NP_DEVICE_MAX + 64];

	snprintf(line, sizeof(line), "{\"program\":\"sshnpd\",\"atsign\":\"%s\",\"device\":\"%s\"}",
		 d->conf->atsign, d->conf->device);
	(void)np_ready_announce(d->conf->ready_fd ? (int)d->conf->ready_fd : -1, line);
}

static void on_monitor_state(bool up, const struct np_err *err, void *arg)
{
	struct daemon *d = arg;

	rest_soon(d);
	if (!up) {
		np_warn_err(err, "monitor: no connection, trying again");
		return;
	}
	np_info("monitor: serving atsign=%s device=%s managers=%zu", d->conf->atsign,
		d->conf->device, d->conf->nr_managers);
	if (d->is_ready)
		return;
	d->is_ready = true;
	instance_announce(d);
	announce_ready(d);
}

static void on_client_state(bool up, const struct np_err *err, void *arg)
{
	rest_soon(arg);
	if (!up)
		np_warn_err(err, "atserver: no connection, trying again");
}

static void on_refresh(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct daemon *d = w->data;

	(void)loop;
	(void)revents;
	rest_soon(d);
	/* Hidden, there is nothing to renew: the records are gone since the start. */
	if (!d->conf->hide)
		info_refresh(d);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct daemon *d = w->data;

	(void)loop;
	(void)revents;
	np_info("signal: leaving number=%d", w->signum);
	(void)np_sd_notify("STOPPING=1");
	daemon_stop(d, 0);
}

static void on_manager_key(const struct np_err *err, const struct np_rsa *key, const char *b64,
			   void *arg)
{
	(void)key;
	(void)b64;
	if (err->code)
		np_warn_err(err, "manager %s: public key not read", (const char *)arg);
}

/* The first request of a manager then finds everything at hand. */
static void warm_up(struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->conf->nr_managers; i++) {
		(void)np_at_client_warm(d->client, d->conf->managers[i]);
		(void)np_at_client_public_key(d->client, d->conf->managers[i], false,
					      on_manager_key, d->conf->managers[i]);
	}
}

static int load_keys(struct daemon *d, struct np_err *err)
{
	char path[PATH_MAX];
	int ret;

	if (d->conf->key_file && *d->conf->key_file) {
		ret = np_str_copy(path, sizeof(path), d->conf->key_file);
		if (ret)
			return np_fail(err, ret, "--key-file: the path is too long");
	} else {
		ret = np_at_keys_default_path(d->conf->atsign, path, sizeof(path), err);
		if (ret)
			return ret;
	}
	ret = np_at_keys_load(path, d->conf->atsign, &d->keys, err);
	if (ret == -ENOENT)
		return np_fail(err, ret,
			       "Unable to find .atKeys file : %s; make it with at_activate or name "
			       "it with -k",
			       path);
	return ret;
}

static int connect_all(struct daemon *d, struct np_err *err)
{
	static const struct np_monitor_ops ops = {
		.want = on_want,
		.note = on_note,
		.bad = on_bad,
		.state = on_monitor_state,
	};
	struct np_at_client_params params = { .loop = d->loop, .noop_interval_ms = NOOP_MS };
	char regex[NP_DEVICE_MAX + 16];
	int ret;

	ret = np_tls_client_ctx(d->conf->root_ca, NULL, NULL, &d->tls, err);
	if (!ret)
		ret = np_tls_ctx_set_alpn(d->tls, NP_AT_ALPN_PIPELINE);
	if (ret)
		return ret;
	ret = np_directory_new(d->loop, d->tls, d->conf->root_domain, &d->dir, err);
	if (ret)
		return ret;
	params.tls = d->tls;
	params.dir = d->dir;
	params.keys = d->keys;
	ret = np_at_client_new(&params, on_client_state, d, &d->client, err);
	if (ret)
		return ret;
	snprintf(regex, sizeof(regex), "%s\\.sshnp@", d->conf->device);
	return np_monitor_open(d->client, regex, HEARTBEAT_MS, &ops, d, &d->monitor, err);
}

static void clean_leftovers(struct daemon *d)
{
	struct np_err err = NP_ERR_INIT;
	int nr = np_authkeys_remove(&d->authkeys, "sshnp_ephemeral_", true, &err);

	if (nr < 0)
		np_warn_err(&err, "authorized_keys: left-over session keys not removed");
	else if (nr)
		np_info("authorized_keys: left-over session keys removed count=%d", nr);
}

static int start(struct daemon *d, struct np_err *err)
{
	static const int nums[] = { SIGTERM, SIGINT };
	size_t i;
	int ret;

	d->loop = ev_default_loop(0);
	if (!d->loop)
		return np_fail(err, -ENOSYS,
			       "no event loop: the kernel refused epoll, poll and select");
	for (i = 0; i < 2; i++) {
		ev_signal_init(&d->signals[i], on_signal, nums[i]);
		d->signals[i].data = d;
		ev_signal_start(d->loop, &d->signals[i]);
	}
	rest_init(d);
	snprintf(d->suffix, sizeof(d->suffix), ".%s.sshnp", d->conf->device);
	if ((ret = np_rand_uuid4(d->instance_id)) || (ret = load_keys(d, err)) ||
	    (ret = ping_build(d, err)) ||
	    (ret = np_authkeys_init(&d->authkeys, d->conf->home, err)) ||
	    (ret = connect_all(d, err)))
		return ret;
	clean_leftovers(d);
	identity_publish(d);
	warm_up(d);
	info_refresh(d);
	ev_timer_init(&d->refresh, on_refresh, REFRESH_S, REFRESH_S);
	d->refresh.data = d;
	ev_timer_start(d->loop, &d->refresh);
	return 0;
}

int daemon_run(const struct sshnpd_conf *conf)
{
	struct daemon d = { .conf = conf };
	struct np_err err = NP_ERR_INIT;

	if (start(&d, &err)) {
		np_error("%s", np_err_text(&err));
		d.status = 1;
	} else {
		ev_run(d.loop, 0);
	}
	requests_fini(&d);
	np_monitor_close(d.monitor);
	np_at_client_free(d.client);
	np_directory_free(d.dir);
	np_tls_ctx_free(d.tls);
	np_at_keys_free(d.keys);
	np_buf_fini(&d.ping_text);
	return d.status;
}
