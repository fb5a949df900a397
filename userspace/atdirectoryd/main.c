// SPDX-License-Identifier: BSD-3-Clause
/* atdirectoryd: the atDirectory over the directory entries of a realm's store. */
#include "conf.h"

#include "atserver/dirserve.h"
#include "base/err.h"
#include "base/log.h"
#include "base/ready.h"
#include "net/sock.h"
#include "store/store.h"
#include "tls/certwatch.h"
#include "tls/tls.h"

#include <ev.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define BACKLOG 1024

struct app {
	struct ev_loop *loop;
	struct np_store *store;
	struct np_tls_ctx *tls;
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

static int open_all(struct app *app, const struct atdirectoryd_conf *conf, struct np_addr *addr,
		    struct np_err *err)
{
	int fd, ret;

	ret = np_store_open_sqlite(conf->data_path, true, &app->store, err);
	if (!ret)
		ret = np_tls_server_ctx(conf->cert_path, conf->key_path, NULL, &app->tls, err);
	if (ret)
		return ret;
	fd = np_sock_listen(conf->listen, conf->port, BACKLOG, err);
	if (fd < 0)
		return fd;
	np_sock_local(fd, addr);
	ret = np_dirserve_open(app->loop, app->tls, fd, np_dirserve_lookup_store, app->store,
			       &app->ds, err);
	if (ret)
		return ret;
	ret = np_certwatch_new(app->loop, conf->cert_path, conf->key_path, &app->tls, 1,
			       &app->certs);
	return ret ? np_fail_errno(err, ret, "cannot watch the certificate") : 0;
}

static void announce(const struct atdirectoryd_conf *conf, const struct np_addr *addr)
{
	char text[NP_ADDR_TEXT_MAX], host[NP_ADDR_TEXT_MAX], line[256];

	np_addr_text(addr, text, sizeof(text));
	np_addr_ip_text(addr, host, sizeof(host));
	np_info("serving address=%s data=%s", text, conf->data_path);
	snprintf(line, sizeof(line), "{\"directory\":{\"host\":\"%s\",\"port\":%u}}", host,
		 np_addr_port(addr));
	if (np_ready_announce(conf->ready_fd ? (int)conf->ready_fd : -1, line))
		np_warn("ready line could not be written fd=%d", (int)conf->ready_fd);
}

static int serve(const struct atdirectoryd_conf *conf)
{
	struct app app = {.loop = ev_default_loop(0)};
	struct np_err err = NP_ERR_INIT;
	struct np_addr addr;
	int ret;

	if (!app.loop) {
		np_error("no event loop: the kernel refused epoll, poll and select");
		return 1;
	}
	ret = open_all(&app, conf, &addr, &err);
	if (ret) {
		np_error("cannot start: %s", np_err_text(&err));
	} else {
		watch_signals(&app);
		announce(conf, &addr);
		ev_run(app.loop, 0);
		np_sd_notify("STOPPING=1");
	}
	np_certwatch_free(app.certs);
	np_dirserve_close(app.ds);
	np_tls_ctx_free(app.tls);
	np_store_close(app.store);
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct atdirectoryd_conf conf = atdirectoryd_defaults;
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = np_cli_start(&parse, &atdirectoryd_prog, argc, argv, &conf);
	if (status == CLI_GO_ON) {
		np_log_open_stderr(conf.log_format == 1);
		np_log_set_level(conf.verbose ? NP_LOG_DEBUG : NP_LOG_INFO);
		status = atdirectoryd_conf_resolve(&conf, &parse, &err)
				 ? np_cli_usage_exit(&parse, &err)
				 : serve(&conf);
	}
	np_cli_fini(&parse);
	return status;
}
