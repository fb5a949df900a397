// SPDX-License-Identifier: BSD-3-Clause
/*
 * npt: reach a TCP port of a device that has no open ports (noports.md 8).
 *
 *	ASKING --keys and relay address--> SERVING (mux in process) --end--> exit
 *	                              -x--> DETACHING (srv) --start line--> port printed, exit
 *	any --end or failure, with -K--> PAUSING (5 s) --> ASKING, on the same local port
 */
#include "base/err.h"
#include "base/log.h"
#include "cli/progress.h"
#include "conf.h"
#include "noports/flow.h"
#include "noports/mux.h"
#include "noports/srvproc.h"

#include <ev.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_S 5.
#define HEARTBEAT_MS (1800 * 1000)

struct app {
	struct ev_loop *loop;
	struct npt_conf conf;
	struct np_flow *flow;
	struct np_flow_result result; /* moved out of the flow */
	struct np_mux *mux;
	struct np_srv *srv;
	ev_timer reap;	    /* frees the flow once its callback has returned */
	ev_timer pause;	    /* -K */
	uint16_t used_port; /* where the first session listened: the later ones do too */
	int exit_code;
};

static void leave(struct app *app, int exit_code, const struct np_err *err)
{
	app->exit_code = exit_code;
	if (err && err->code)
		fprintf(stderr, "\nError : %s\n", np_err_text(err));
	ev_break(app->loop, EVBREAK_ALL);
}

/* One session is over; @err code 0 when that is no failure. */
static void session_over(struct app *app, const struct np_err *err)
{
	if (!app->conf.keep_alive) {
		leave(app, err->code ? 1 : 0, err);
		return;
	}
	if (!app->conf.quiet || err->code)
		fprintf(stderr, "npt: session ended%s%s; a new one starts in %d s\n",
			err->code ? ": " : "", err->code ? np_err_text(err) : "", (int)PAUSE_S);
	ev_now_update(app->loop);
	ev_timer_set(&app->pause, PAUSE_S, 0.);
	ev_timer_start(app->loop, &app->pause);
}

/* ---- serving ---- */

static void on_mux_ready(struct np_mux *mux, uint16_t port, void *arg)
{
	struct app *app = arg;

	(void)mux;
	app->used_port = port;
	if (!app->conf.quiet)
		fprintf(stderr, "npt is listening on %s:%u\n", app->conf.local_host, port);
}

static void on_mux_end(struct np_mux *mux, const struct np_err *err, void *arg)
{
	struct app *app = arg;

	np_mux_close(mux);
	app->mux = NULL;
	np_flow_result_fini(&app->result);
	session_over(app, err);
}

static int serve(struct app *app, struct np_err *err)
{
	struct np_flow_result *r = &app->result;
	struct np_mux_params params = {
		.loop = app->loop,
		.side = NP_BRIDGE_CLIENT,
		.relay_host = r->relay.address,
		.relay_port = r->relay.port_a,
		.local_host = app->conf.local_host,
		.local_port = app->used_port,
		.auth_line = r->auth_line.len ? np_buf_str(&r->auth_line) : NULL,
		.relay_fd = r->relay_fd >= 0 ? &r->relay_fd : NULL,
		.keys = &r->keys,
		.timeout_ms = app->conf.timeout_ms,
		.heartbeat_ms = r->device_takes_heartbeats ? HEARTBEAT_MS : 0,
		.on_ready = on_mux_ready,
		.on_end = on_mux_end,
		.arg = app,
	};

	return np_mux_open(&params, &app->mux, err);
}

/* ---- detaching ---- */

static void on_srv_started(struct np_srv *srv, const struct np_err *err, void *arg)
{
	struct app *app = arg;

	(void)srv;
	if (err->code) {
		app->srv = NULL;
		leave(app, 1, err);
		return;
	}
	printf("%u\n", app->used_port);
	leave(app, fflush(stdout) ? 1 : 0, NULL);
}

static int detach(struct app *app, struct np_err *err)
{
	struct np_flow_result *r = &app->result;
	struct np_srv_params params = {
		.loop = app->loop,
		.side = NP_BRIDGE_CLIENT,
		.relay_host = r->relay.address,
		.relay_port = r->relay.port_a,
		.local_host = app->conf.local_host,
		.timeout_s = (app->conf.timeout_ms + 999) / 1000,
		.multi = true,
		.heartbeats = r->device_takes_heartbeats,
		.auth_line = r->auth_line.len ? np_buf_str(&r->auth_line) : NULL,
		.keys = &r->keys,
		.on_started = on_srv_started,
		.arg = app,
	};
	int ret = np_srv_pick_port(app->conf.local_host, &app->used_port, err);

	params.local_port = app->used_port;
	return ret ? ret : np_srv_start(&params, &app->srv, err);
}

/* ---- asking ---- */

/* The control plane's connections must not idle for as long as the session lasts. */
static void on_reap(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *app = w->data;

	(void)loop;
	(void)revents;
	np_flow_free(app->flow);
	app->flow = NULL;
}

static void on_flow_done(struct np_flow_result *result, const struct np_err *err, void *arg)
{
	struct app *app = arg;
	struct np_err own = NP_ERR_INIT;

	ev_timer_start(app->loop, &app->reap);
	if (!result) {
		session_over(app, err);
		return;
	}
	app->result = *result;
	memset(result, 0, sizeof(*result));
	result->relay_fd = -1;
	if (app->conf.detach ? detach(app, &own) : serve(app, &own)) {
		np_flow_result_fini(&app->result);
		session_over(app, &own);
	}
}

static int ask(struct app *app, struct np_err *err)
{
	const struct npt_conf *conf = &app->conf;
	struct np_flow_params params = {
		.link =
			{
				.loop = app->loop,
				.from = conf->from,
				.key_file = conf->key_file,
				.root_ca = conf->root_ca,
				.root_domain = conf->root_domain,
			},
		.to = conf->to,
		.device = conf->device,
		.relay = conf->relay,
		.auth_client = true,
		.auth_device = true,
		.encrypt = conf->encrypt,
		.connect_early = !conf->detach,
		.ping_timeout_s = (unsigned int)conf->ping_timeout_s,
		.is_npt = true,
		.target_host = conf->remote_host,
		.target_port = conf->remote_port,
		.timeout_ms = conf->timeout_ms,
		.on_done = on_flow_done,
		.arg = app,
	};

	return np_flow_start(&params, &app->flow, err);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_err err = NP_ERR_INIT;
	struct app *app = w->data;

	(void)loop;
	(void)revents;
	if (ask(app, &err))
		session_over(app, &err);
}

/* ---- life ---- */

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	leave(w->data, 1, NULL);
}

static int work(struct app *app)
{
	static const int nums[] = {SIGINT, SIGTERM, SIGHUP};
	struct np_err err = NP_ERR_INIT;
	ev_signal sigs[3];
	unsigned int i;

	app->loop = ev_default_loop(0);
	if (!app->loop) {
		fprintf(stderr, "\nError : no event loop: the kernel refused epoll and poll\n");
		return 1;
	}
	for (i = 0; i < 3; i++) {
		ev_signal_init(&sigs[i], on_signal, nums[i]);
		sigs[i].data = app;
		ev_signal_start(app->loop, &sigs[i]);
	}
	ev_timer_init(&app->reap, on_reap, 0., 0.);
	ev_timer_init(&app->pause, on_pause_over, 0., 0.);
	app->reap.data = app->pause.data = app;
	app->used_port = app->conf.local_port;
	/* What fails here, such as a missing key file, fails again: that is not retried. */
	if (ask(app, &err))
		leave(app, 1, &err);
	else
		ev_run(app->loop, 0);
	np_mux_close(app->mux);
	np_srv_forget(app->srv);
	np_flow_free(app->flow);
	np_flow_result_fini(&app->result);
	return app->exit_code;
}

int main(int argc, char **argv)
{
	struct app app = {.conf = npt_defaults, .exit_code = 1, .result.relay_fd = -1};
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = np_cli_start(&parse, &npt_prog, argc, argv, &app.conf);
	if (status == CLI_GO_ON) {
		if (npt_conf_check(&app.conf, &parse, &err)) {
			status = np_cli_usage_exit(&parse, &err);
		} else {
			np_log_open_stderr(false);
			np_log_set_level(app.conf.verbose ? NP_LOG_DEBUG : NP_LOG_WARN);
			np_progress_init(!app.conf.quiet &&
					 (app.conf.verbose || isatty(STDERR_FILENO)));
			status = work(&app);
		}
	}
	np_cli_fini(&parse);
	return status;
}
