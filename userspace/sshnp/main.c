// SPDX-License-Identifier: BSD-3-Clause
/* sshnp: ssh to a device that has no open ports. */
#include "base/err.h"
#include "base/log.h"
#include "conf.h"
#include "list.h"
#include "progress.h"
#include "run.h"
#include "session.h"

#include <ev.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct app {
	struct ev_loop *loop;
	struct sshnp_conf conf;
	struct session *session;
	struct list *list;
	struct run *run;
	struct session_result result; /* moved out of the session */
	ev_timer reap;		      /* frees the session once its callback has returned */
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
	session_free(app->session);
	app->session = NULL;
}

static void on_session_done(struct session_result *result, const struct np_err *err, void *arg)
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
		ret = session_start(app->loop, &app->conf, on_session_done, app, &app->session, &err);
	if (ret)
		leave(app, 1, &err);
	else
		ev_run(app->loop, 0);
	run_free(app->run);
	session_free(app->session);
	list_free(app->list);
	session_result_fini(&app->result);
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
			progress_init(!app.conf.quiet && (app.conf.verbose ||
							  (!app.conf.stdio && isatty(STDERR_FILENO))));
			status = work(&app);
		}
	}
	np_cli_fini(&parse);
	return status;
}
