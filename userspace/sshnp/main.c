// SPDX-License-Identifier: BSD-3-Clause
/* sshnp: ssh to a device that has no open ports. */
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/progress.h"
#include "conf.h"
#include "list.h"
#include "noports/flow.h"
#include "run.h"
#include "sshkeyfile.h"

#include <ev.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct app {
	struct ev_loop *loop;
	struct sshnp_conf conf;
	struct np_flow *flow;
	struct np_buf public_key; /* of -s */
	struct list *list;
	struct run *run;
	struct np_flow_result result; /* moved out of the flow */
	ev_timer reap;		      /* frees the flow once its callback has returned */
	int exit_code;
};

static void leave(struct app *app, int exit_code, const struct np_err *err)
{
	app->exit_code = exit_code;
	if (err)
		fprintf(stderr, "\nError : %s\n", np_err_text(err));
	ev_break(app->loop, EVBREAK_ALL);
}

static void on_run_done(int exit_code, const struct np_err *err, void *arg)
{
	leave(arg, exit_code, err);
}

/* The control plane has done its part; its connections must not idle for as long as the user's session lasts. */
static void on_reap(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *app = w->data;

	(void)loop;
	(void)revents;
	np_flow_free(app->flow);
	app->flow = NULL;
}

static void on_session_done(struct np_flow_result *result, const struct np_err *err, void *arg)
{
	struct app *app = arg;
	struct np_err run_err = NP_ERR_INIT;

	if (!result) {
		leave(app, 1, err);
		return;
	}
	app->result = *result;
	memset(result, 0, sizeof(*result));
	result->relay_fd = -1;
	ev_timer_init(&app->reap, on_reap, 0., 0.);
	app->reap.data = app;
	ev_timer_start(app->loop, &app->reap);
	if (run_start(app->loop, &app->conf, &app->result, on_run_done, app, &app->run, &run_err))
		leave(app, 1, &run_err);
}

static int start_flow(struct app *app, struct np_err *err)
{
	const struct sshnp_conf *conf = &app->conf;
	struct np_flow_params params = {
		.to = conf->to,
		.device = conf->device,
		.relay = conf->relay,
		.auth_client = conf->auth_client,
		.auth_device = conf->auth_device,
		.encrypt = conf->encrypt,
		/* A detached bridge makes its own connection, later; an idle one would only wait for the relay's limit. */
		.connect_early = !conf->print_command,
		.ping_timeout_s = (unsigned int)conf->ping_timeout_s,
		.remote_user = conf->remote_user,
		.need_user = !conf->stdio,
		.on_done = on_session_done,
		.arg = app,
	};
	int ret;

	sshnp_conf_link(conf, app->loop, &params.link);
	if (conf->send_public_key) {
		ret = sshkeyfile_public_line(conf->identity_file, &app->public_key, err);
		if (ret)
			return ret;
		params.public_key = np_buf_str(&app->public_key);
	}
	return np_flow_start(&params, &app->flow, err);
}

static void on_list_done(const struct np_err *err, void *arg)
{
	leave(arg, err ? 1 : 0, err);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = w->data;

	(void)loop;
	(void)revents;
	/* The terminal interrupts ssh as well, which decides what that means. */
	if (w->signum == SIGINT && run_is_interactive(app->run))
		return;
	leave(app, 1, NULL);
}

static int work(struct app *app)
{
	static const int nums[] = { SIGINT, SIGTERM, SIGHUP };
	struct np_err err = NP_ERR_INIT;
	ev_signal sigs[3];
	unsigned int i;
	int ret;

	app->loop = ev_default_loop(0);
	if (!app->loop) {
		fprintf(stderr, "\nError : no event loop: the kernel refused epoll, poll and select\n");
		return 1;
	}
	for (i = 0; i < 3; i++) {
		ev_signal_init(&sigs[i], on_signal, nums[i]);
		sigs[i].data = app;
		ev_signal_start(app->loop, &sigs[i]);
	}
	if (app->conf.list_devices)
		ret = list_start(app->loop, &app->conf, on_list_done, app, &app->list, &err);
	else
		ret = start_flow(app, &err);
	if (ret)
		leave(app, 1, &err);
	else
		ev_run(app->loop, 0);
	run_free(app->run);
	np_flow_free(app->flow);
	np_buf_fini(&app->public_key);
	list_free(app->list);
	np_flow_result_fini(&app->result);
	return app->exit_code;
}

int main(int argc, char **argv)
{
	struct app app = { .conf = sshnp_defaults, .exit_code = 1, .result.relay_fd = -1 };
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = np_cli_start(&parse, &sshnp_prog, argc, argv, &app.conf);
	if (status == CLI_GO_ON) {
		if (sshnp_conf_check(&app.conf, &err)) {
			status = np_cli_usage_exit(&parse, &err);
		} else {
			if (app.conf.verbose) {
				np_log_open_stderr(false);
				np_log_set_level(NP_LOG_DEBUG);
			}
			np_progress_init(!app.conf.quiet && (app.conf.verbose ||
							  (!app.conf.stdio && isatty(STDERR_FILENO))));
			status = work(&app);
		}
	}
	np_cli_fini(&parse);
	return status;
}
