// SPDX-License-Identifier: BSD-3-Clause
/*
 * An atProtocol client for tests: every command is one operation of at/client.h.
 *
 *	atcli -a @alice [-k FILE] -r HOST:PORT --root-ca FILE put @bob NAME VALUE
 *		("self" and "public" stand for a receiver, too)
 *	atcli ... get @bob NAME
 *	atcli ... del @bob NAME
 *	atcli ... scan [@bob]
 *	atcli ... notify @bob NAME VALUE
 *	atcli ... raw LINE				(the answer behind "data:")
 *	atcli ... monitor [--replay] [--count N] [--timeout S] [REGEX]
 *
 * monitor prints "ready" once it is up, then a JSON object a notification. Exit: 0 done, 1 failed,
 * 2 usage.
 */
#include "at/atsign.h"
#include "at/client.h"
#include "at/directory.h"
#include "at/keyfile.h"
#include "at/monitor.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/opt.h"
#include "json/json.h"
#include "tls/tls.h"

#include <ev.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct conf {
	const char *atsign_text, *keys, *root_domain, *root_ca;
	uint64_t ttl_ms, timeout_ms, count;
	bool replay, bypass;
};

struct app {
	struct conf *conf;
	struct ev_loop *loop;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
	struct np_at_keys *keys;
	struct np_at_client *client;
	struct np_monitor *monitor;
	ev_timer timeout;
	uint64_t nr_notes;
	int status;
	char atsign[NP_ATSIGN_MAX];
};

static void end(struct app *app, int status)
{
	app->status = status;
	ev_break(app->loop, EVBREAK_ALL);
}

static int complain(const struct np_err *err)
{
	fprintf(stderr, "atcli: %s\n", np_err_text(err));
	return 1;
}

static void on_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	fprintf(stderr, "atcli: timed out\n");
	end(w->data, 1);
}

static int open_app(struct app *app, struct conf *conf)
{
	struct np_at_client_params params;
	struct np_err err = NP_ERR_INIT;
	char path[PATH_MAX];
	int ret;

	signal(SIGPIPE, SIG_IGN);
	app->conf = conf;
	app->loop = ev_default_loop(0);
	ret = np_atsign_parse(conf->atsign_text, app->atsign, &err);
	if (!ret && conf->keys)
		ret = np_str_copy(path, sizeof(path), conf->keys);
	else if (!ret)
		ret = np_at_keys_default_path(app->atsign, path, sizeof(path), &err);
	if (!ret)
		ret = np_at_keys_load(path, app->atsign, &app->keys, &err);
	if (!ret)
		ret = np_tls_client_ctx(conf->root_ca, NULL, NULL, &app->tls, &err);
	if (!ret)
		ret = np_directory_new(app->loop, app->tls, conf->root_domain, &app->dir, &err);
	params = (struct np_at_client_params){.loop = app->loop,
					      .tls = app->tls,
					      .dir = app->dir,
					      .keys = app->keys,
					      .once = true};
	if (!ret)
		ret = np_at_client_new(&params, NULL, NULL, &app->client, &err);
	ev_timer_init(&app->timeout, on_timeout, conf->timeout_ms / 1000., 0.);
	app->timeout.data = app;
	ev_timer_start(app->loop, &app->timeout);
	return ret ? complain(&err) : 0;
}

static int close_app(struct app *app)
{
	ev_timer_stop(app->loop, &app->timeout);
	np_monitor_close(app->monitor);
	np_at_client_free(app->client);
	np_directory_free(app->dir);
	np_tls_ctx_free(app->tls);
	np_at_keys_free(app->keys);
	return app->status;
}

static void on_reply(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)len;
	if (err->code)
		complain(err);
	else
		puts(data);
	end(arg, err->code ? 1 : 0);
}

/* Runs one operation that answers by on_reply(). */
static int run(struct app *app, int ret)
{
	if (ret) {
		fprintf(stderr, "atcli: refused: %s\n", strerror(-ret));
		app->status = 1;
	} else {
		ev_run(app->loop, 0);
	}
	return close_app(app);
}

static void fill(struct np_at_put *put, const struct conf *conf, const struct cli_parse *parse)
{
	const char *to = parse->args[0];

	*put = (struct np_at_put){
		.to = strcmp(to, "self") && strcmp(to, "public") ? to : NULL,
		.is_public = !strcmp(to, "public"),
		.name = parse->args[1],
		.value = parse->args[2],
		.value_len = strlen(parse->args[2]),
		.ttl_ms = (int64_t)conf->ttl_ms,
		.ttln_ms = 60000,
	};
}

static int cmd_put(void *conf, const struct cli_parse *parse)
{
	struct app app = {0};
	struct np_at_put put;

	fill(&put, conf, parse);
	if (open_app(&app, conf))
		return close_app(&app) | 1;
	return run(&app, np_at_client_put(app.client, &put, on_reply, &app));
}

static int cmd_notify(void *conf, const struct cli_parse *parse)
{
	struct app app = {0};
	struct np_at_put put;

	fill(&put, conf, parse);
	if (open_app(&app, conf))
		return close_app(&app) | 1;
	return run(&app, np_at_client_notify(app.client, &put, on_reply, &app));
}

static int cmd_get(void *arg, const struct cli_parse *parse)
{
	const struct conf *conf = arg;
	struct app app = {0};
	const char *from = strcmp(parse->args[0], "self") ? parse->args[0] : NULL;

	if (open_app(&app, arg))
		return close_app(&app) | 1;
	return run(&app, np_at_client_get(app.client, from, parse->args[1], conf->bypass, on_reply,
					  &app));
}

static int cmd_del(void *arg, const struct cli_parse *parse)
{
	struct app app = {0};
	const char *to = strcmp(parse->args[0], "self") ? parse->args[0] : NULL;

	if (open_app(&app, arg))
		return close_app(&app) | 1;
	return run(&app, np_at_client_del(app.client, to, parse->args[1], on_reply, &app));
}

static int cmd_scan(void *arg, const struct cli_parse *parse)
{
	struct app app = {0};

	if (open_app(&app, arg))
		return close_app(&app) | 1;
	return run(&app, np_at_client_scan(app.client, parse->nr_args ? parse->args[0] : NULL, NULL,
					   on_reply, &app));
}

static int cmd_raw(void *arg, const struct cli_parse *parse)
{
	struct app app = {0};

	if (open_app(&app, arg))
		return close_app(&app) | 1;
	return run(&app, np_at_client_command(app.client, parse->args[0], strlen(parse->args[0]),
					      on_reply, &app));
}

static void on_note(const struct np_at_notification *note, void *arg)
{
	struct app *app = arg;
	struct np_json *obj = np_json_obj();
	struct np_buf text = NP_BUF_INIT;

	np_json_set_str(obj, "id", note->id);
	np_json_set_str(obj, "from", note->from);
	np_json_set_str(obj, "name", note->name);
	np_json_set_str(obj, "value", note->value);
	np_json_set_bool(obj, "delete", note->is_delete);
	np_json_write(obj, &text);
	puts(np_buf_str(&text));
	fflush(stdout);
	np_json_put(obj);
	np_buf_fini(&text);
	if (app->conf->count && ++app->nr_notes >= app->conf->count)
		end(app, 0);
}

static void on_bad(const char *from, const char *key, const struct np_err *err, void *arg)
{
	(void)arg;
	fprintf(stderr, "atcli: %s from %s: %s\n", key, from, np_err_text(err));
}

static void on_state(bool up, const struct np_err *err, void *arg)
{
	(void)arg;
	if (up)
		puts("ready");
	else
		complain(err);
	fflush(stdout);
}

static int cmd_monitor(void *arg, const struct cli_parse *parse)
{
	static const struct np_monitor_ops ops = {
		.note = on_note, .bad = on_bad, .state = on_state};
	const struct conf *conf = arg;
	const char *regex = parse->nr_args ? parse->args[0] : NULL;
	struct np_err err = NP_ERR_INIT;
	struct app app = {0};
	int ret;

	if (open_app(&app, arg))
		return close_app(&app) | 1;
	ret = (conf->replay ? np_monitor_open_replay : np_monitor_open)(
		app.client, regex, 10000, &ops, &app, &app.monitor, &err);
	if (ret) {
		complain(&err);
		close_app(&app);
		return 1;
	}
	ev_run(app.loop, 0);
	return close_app(&app);
}

#define C struct conf
static const struct cli_opt opts[] = {
	CLI_STR("atsign", 'a', "ATSIGN", C, atsign_text, "whose client", CLI_REQUIRED),
	CLI_STR("keys", 'k', "FILE", C, keys, "key file", 0),
	CLI_STR("root-domain", 'r', "HOST[:PORT]", C, root_domain, "the atDirectory", 0),
	CLI_STR("root-ca", 0, "FILE", C, root_ca, "PEM file of the CAs to trust", 0),
	CLI_DURATION("timeout", 't', "TIME", C, timeout_ms, "fail after this", 0),
	CLI_END};
static const struct cli_opt put_opts[] = {
	CLI_DURATION("ttl", 0, "TIME", C, ttl_ms, "lifetime of the record", 0), CLI_END};
static const struct cli_opt get_opts[] = {
	CLI_FLAG("bypass-cache", 0, C, bypass, "ask the owner's server", 0), CLI_END};
static const struct cli_opt monitor_opts[] = {
	CLI_FLAG("replay", 0, C, replay, "also what the server holds", 0),
	CLI_U64("count", 'n', "N", C, count, "leave after so many, 0 never", 0, 0, 0), CLI_END};
static const struct cli_cmd cmds[] = {
	CLI_CMD("put", cmd_put, put_opts, "store a record", .args = "TO NAME VALUE", .min_args = 3,
		.max_args = 3),
	CLI_CMD("get", cmd_get, get_opts, "read a record", .args = "FROM NAME", .min_args = 2,
		.max_args = 2),
	CLI_CMD("del", cmd_del, NULL, "delete a record", .args = "TO NAME", .min_args = 2,
		.max_args = 2),
	CLI_CMD("scan", cmd_scan, NULL, "list keys", .args = "[ATSIGN]", .max_args = 1),
	CLI_CMD("notify", cmd_notify, put_opts, "send a notification", .args = "TO NAME VALUE",
		.min_args = 3, .max_args = 3),
	CLI_CMD("raw", cmd_raw, NULL, "send a verb line", .args = "LINE", .min_args = 1,
		.max_args = 1),
	CLI_CMD("monitor", cmd_monitor, monitor_opts, "print notifications", .args = "[REGEX]",
		.max_args = 1),
	CLI_CMD_END};
static const struct cli_prog prog = {
	.name = "atcli",
	.purpose = "atProtocol client for tests",
	.opts = opts,
	.cmds = cmds,
	.need_cmd = true,
};

int main(int argc, char **argv)
{
	struct conf conf = {.root_domain = "root.atsign.org", .timeout_ms = 30000};

	return np_cli_main(&prog, argc, argv, &conf);
}
