// SPDX-License-Identifier: BSD-3-Clause
/* atserverd: the atServers of a realm, and with --directory its atDirectory, in one process. */
#include "conf.h"

#include "at/conn.h"
#include "at/directory.h"
#include "atserver/dirserve.h"
#include "atserver/server.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/ready.h"
#include "base/str.h"
#include "json/json.h"
#include "net/listen.h"
#include "net/sock.h"
#include "store/store.h"
#include "tls/certwatch.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#define BACKLOG 4096
/* Descriptors besides clients: listeners, the store, the directory, other servers. */
#define OWN_FDS 128

struct app {
	const struct atserverd_conf *conf;
	uint64_t max_connections;
	struct ev_loop *loop;
	struct np_store *store;
	struct np_tls_ctx *server_tls, *client_tls, *root_tls;
	struct np_directory *directory;
	struct np_atserver *srv;
	struct np_listener *listener;
	struct np_dirserve *ds;
	struct np_certwatch *certs;
	ev_signal term, intr, hup;
};

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)revents;
	np_info("stopping signal=%d", w->signum);
	ev_break(loop, EVBREAK_ALL);
}

static void on_hup(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = w->data;

	(void)loop;
	(void)revents;
	np_certwatch_now(app->certs);
}

static void watch_signals(struct app *app)
{
	ev_signal_init(&app->term, on_signal, SIGTERM);
	ev_signal_init(&app->intr, on_signal, SIGINT);
	ev_signal_start(app->loop, &app->term);
	ev_signal_start(app->loop, &app->intr);
	ev_signal_init(&app->hup, on_hup, SIGHUP);
	app->hup.data = app;
	ev_signal_start(app->loop, &app->hup);
}

/*
 * Each connection is a descriptor; the soft limit is a leftover of select(). Return: how many
 * connections the limit leaves room for, so that one too many is told so instead of waiting.
 */
static uint64_t raise_limit(const struct atserverd_conf *conf)
{
	struct rlimit lim;
	uint64_t room;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return conf->max_connections;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	if (getrlimit(RLIMIT_NOFILE, &lim) || lim.rlim_cur >= conf->max_connections + OWN_FDS)
		return conf->max_connections;
	room = lim.rlim_cur > 2 * OWN_FDS ? lim.rlim_cur - OWN_FDS : lim.rlim_cur / 2;
	np_warn("descriptor limit lowers --max-connections limit=%llu connections=%llu",
		(unsigned long long)lim.rlim_cur, (unsigned long long)room);
	return room;
}

static const char *or_null(const char *path)
{
	return *path ? path : NULL;
}

static int open_tls(struct app *app, struct np_err *err)
{
	const struct atserverd_conf *conf = app->conf;
	const char *ca = or_null(conf->ca_path);
	const char *root_ca = *conf->root_ca_path ? conf->root_ca_path : ca;
	int ret;

	ret = np_tls_server_ctx(conf->cert_path, conf->key_path, ca, &app->server_tls, err);
	/* Sessions split at LF and answer in order, which is what the protocol promises. */
	if (!ret)
		ret = np_tls_ctx_set_alpn(app->server_tls, NP_AT_ALPN_PIPELINE);
	if (!ret)
		ret = np_tls_client_ctx(ca, conf->cert_path, conf->key_path, &app->client_tls, err);
	if (ret || !conf->root_domain)
		return ret;
	ret = np_tls_client_ctx(root_ca, NULL, NULL, &app->root_tls, err);
	if (!ret)
		ret = np_directory_new(app->loop, app->root_tls, conf->root_domain, &app->directory,
				       err);
	return ret;
}

static int open_server(struct app *app, struct np_err *err)
{
	struct np_atserver_conf conf = NP_ATSERVER_DEFAULTS;

	conf.store = app->store;
	conf.server_tls = app->server_tls;
	conf.client_tls = app->client_tls;
	conf.directory = app->directory;
	conf.directory_in_store = app->conf->directory || !app->directory;
	conf.secrets_dir = or_null(app->conf->secrets_path);
	conf.client_cert_required = app->conf->client_cert;
	conf.max_connections = app->max_connections;
	conf.note_ttl_ms = app->conf->note_ttl_ms;
	conf.stats_interval_ms = app->conf->stats_ms;
	conf.idle_unauth_ms = app->conf->idle_ms;
	conf.quota_keys = app->conf->quota_keys;
	conf.quota_bytes = app->conf->quota_bytes;
	conf.quota_notes = app->conf->quota_notes;
	conf.quota_connections = app->conf->quota_connections;
	return np_atserver_open(app->loop, &conf, &app->srv, err);
}

static int open_listener(struct app *app, struct np_err *err)
{
	int fd = np_sock_listen(app->conf->listen, app->conf->port, BACKLOG, err);
	int ret;

	if (fd < 0)
		return fd;
	ret = np_listener_open(app->loop, fd, "atserver", np_atserver_accept, app->srv,
			       &app->listener);
	return ret ? np_fail_errno(err, ret, "cannot accept connections") : 0;
}

/* Only this process knows the port that hosted atSigns really have. */
static int look_up(const char *atsign, struct np_dirserve_answer *answer, void *arg)
{
	struct app *app = arg;
	int hosted = np_atserver_hosts(app->srv, atsign);

	if (hosted < 0)
		return hosted;
	if (!hosted)
		return np_dirserve_lookup_store(atsign, answer, app->store);
	answer->port = np_listener_port(app->listener);
	return np_str_copy(answer->host, sizeof(answer->host), app->conf->host);
}

static int open_directory(struct app *app, struct np_err *err)
{
	int fd;

	if (!app->conf->directory)
		return 0;
	fd = np_sock_listen(app->conf->listen, app->conf->directory_port, BACKLOG, err);
	if (fd < 0)
		return np_err_prefix(err, "atDirectory");
	return np_dirserve_open(app->loop, app->server_tls, fd, look_up, app, &app->ds, err);
}

static int watch_certs(struct app *app, struct np_err *err)
{
	struct np_tls_ctx *const ctxs[] = {app->server_tls, app->client_tls};
	int ret;

	ret = np_certwatch_new(app->loop, app->conf->cert_path, app->conf->key_path, ctxs, 2,
			       &app->certs);
	return ret ? np_fail_errno(err, ret, "cannot watch the certificate") : 0;
}

static int open_all(struct app *app, struct np_err *err)
{
	int ret;

	ret = np_store_open_sqlite(app->conf->data_path, false, &app->store, err);
	if (!ret)
		ret = open_tls(app, err);
	if (!ret)
		ret = open_server(app, err);
	if (!ret)
		ret = open_listener(app, err);
	if (!ret)
		ret = open_directory(app, err);
	return ret ? ret : watch_certs(app, err);
}

static struct np_json *address(const char *host, uint16_t port)
{
	struct np_json *json = np_json_obj();

	if (json && !np_json_set_str(json, "host", host) && !np_json_set_int(json, "port", port))
		return json;
	np_json_put(json);
	return NULL;
}

static void announce(struct app *app)
{
	const struct atserverd_conf *conf = app->conf;
	struct np_json *json = np_json_obj();
	struct np_buf line = NP_BUF_INIT;
	uint16_t dir_port = app->ds ? np_dirserve_port(app->ds) : 0;

	np_info("serving host=%s port=%u directory-port=%u data=%s", conf->host,
		np_listener_port(app->listener), dir_port, conf->data_path);
	if (!json ||
	    np_json_set(json, "atserver", address(conf->host, np_listener_port(app->listener))) ||
	    (app->ds && np_json_set(json, "directory", address(conf->host, dir_port))) ||
	    np_json_write(json, &line) ||
	    np_ready_announce(conf->ready_fd ? (int)conf->ready_fd : -1, np_buf_str(&line)))
		np_warn("ready line could not be written fd=%d", (int)conf->ready_fd);
	np_buf_fini(&line);
	np_json_put(json);
}

static void close_all(struct app *app)
{
	np_certwatch_free(app->certs);
	np_dirserve_close(app->ds);
	np_listener_close(app->listener);
	np_atserver_close(app->srv);
	np_directory_free(app->directory);
	np_tls_ctx_free(app->root_tls);
	np_tls_ctx_free(app->client_tls);
	np_tls_ctx_free(app->server_tls);
	np_store_close(app->store);
}

static int serve(const struct atserverd_conf *conf)
{
	struct app app = {.conf = conf, .loop = ev_default_loop(0)};
	struct np_err err = NP_ERR_INIT;
	int ret;

	if (!app.loop) {
		np_error("no event loop: the kernel refused epoll, poll and select");
		return 1;
	}
	app.max_connections = raise_limit(conf);
	ret = open_all(&app, &err);
	if (ret) {
		np_error("cannot start: %s", np_err_text(&err));
	} else {
		watch_signals(&app);
		announce(&app);
		ev_run(app.loop, 0);
		np_sd_notify("STOPPING=1");
	}
	close_all(&app);
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct atserverd_conf conf = atserverd_defaults;
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = np_cli_start(&parse, &atserverd_prog, argc, argv, &conf);
	if (status == CLI_GO_ON) {
		np_log_open_stderr(conf.log_format == 1);
		np_log_set_level(conf.verbose ? NP_LOG_DEBUG : NP_LOG_INFO);
		status = atserverd_conf_resolve(&conf, &parse, &err)
				 ? np_cli_usage_exit(&parse, &err)
				 : serve(&conf);
	}
	np_cli_fini(&parse);
	return status;
}
