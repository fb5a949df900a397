// SPDX-License-Identifier: BSD-3-Clause
/*
 * npnote: one notification of any content to another atSign, for tests of daemons. A: "npnote
 * -a @alice" and the flags of the realm.
 *
 *	A --to @device --name ping.dev1.sshnp --value ping --listen heartbeat.dev1.sshnp
 *	A --to @device --name ssh_request.dev1.sshnp --payload '{...}' --listen SID.dev1.sshnp
 *	A --get @device --name username.dev1.sshnp
 *
 * Prints "NAME VALUE" of what --listen hears first and exits with 0, or with 3 when nothing came
 * in time. Without --listen it exits with 0 once the own atServer has taken the notification.
 */
#include "at/client.h"
#include "at/directory.h"
#include "at/keyfile.h"
#include "at/monitor.h"
#include "base/buf.h"
#include "base/err.h"
#include "cli/opt.h"
#include "noports/envelope.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define NOTHING_HEARD 3

struct conf {
	const char *atsign, *key_file, *root_domain, *root_ca;
	const char *to, *get, *name, *value, *payload, *corrupt, *listen;
	uint64_t secs, times;
};

#define C struct conf
static const struct cli_opt opts[] = {
	CLI_STR("atsign", 'a', "ATSIGN", C, atsign, "who sends", CLI_REQUIRED),
	CLI_STR("key-file", 'k', "FILE", C, key_file, "atKeys file", 0),
	CLI_STR("root-domain", 0, "HOST[:PORT]", C, root_domain, "the atDirectory", 0),
	CLI_STR("root-ca", 0, "FILE", C, root_ca, "CAs to trust", 0),
	CLI_STR("to", 0, "ATSIGN", C, to, "who gets it", 0),
	CLI_STR("get", 0, "ATSIGN", C, get,
		"read the record --name that ATSIGN shares with us instead", 0),
	CLI_STR("name", 0, "NAME", C, name, "key without atSigns", CLI_REQUIRED),
	CLI_STR("value", 0, "TEXT", C, value, "text to send", 0),
	CLI_STR("payload", 0, "JSON", C, payload, "send this in a signed envelope", 0),
	CLI_STR("corrupt", 0, "TEXT", C, corrupt,
		"after signing, change the last letter of TEXT in the payload", 0),
	CLI_U64("times", 0, "N", C, times, "send so often", 1, 100, 0),
	CLI_STR("listen", 0, "REGEX", C, listen, "wait for such a notification", 0),
	CLI_U64("secs", 0, "N", C, secs, "how long to wait", 1, 600, 0),
	CLI_END
};
#undef C
static const struct cli_prog prog = { .name = "npnote",
				      .purpose = "one notification, for tests",
				      .opts = opts };

struct app {
	struct ev_loop *loop;
	const struct conf *conf;
	struct np_at_client *client;
	struct np_buf text;
	unsigned int nr_taken;
	int status;
};

static void leave(struct app *app, int status)
{
	app->status = status;
	ev_break(app->loop, EVBREAK_ALL);
}

static void on_taken(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct app *app = arg;

	(void)data;
	(void)len;
	if (err->code) {
		fprintf(stderr, "npnote: not sent: %s\n", np_err_text(err));
		leave(app, 1);
	} else if (++app->nr_taken == app->conf->times && !app->conf->listen) {
		leave(app, 0);
	}
}

static void send_it(struct app *app)
{
	struct np_at_put put = { .to = app->conf->to,
				 .name = app->conf->name,
				 .value = np_buf_str(&app->text),
				 .value_len = app->text.len,
				 .ttl_ms = 10000,
				 .ttln_ms = 60000 };
	uint64_t i;

	for (i = 0; i < app->conf->times; i++)
		if (np_at_client_notify(app->client, &put, on_taken, app))
			leave(app, 1);
}

static void on_note(const struct np_at_notification *note, void *arg)
{
	printf("%s %s\n", note->name, note->value ? note->value : "");
	leave(arg, 0);
}

static void on_state(bool up, const struct np_err *err, void *arg)
{
	if (up)
		send_it(arg);
	else
		fprintf(stderr, "npnote: monitor: %s\n", np_err_text(err));
}

static void on_value(const struct np_err *err, const char *data, size_t len, void *arg)
{
	if (err->code) {
		fprintf(stderr, "npnote: %s\n", np_err_text(err));
		leave(arg, err->code == -ENOENT ? NOTHING_HEARD : 1);
		return;
	}
	printf("%.*s\n", (int)len, data);
	leave(arg, 0);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	leave(w->data, NOTHING_HEARD);
}

static int make_text(struct app *app, const struct np_at_keys *keys, struct np_err *err)
{
	const struct conf *conf = app->conf;
	int ret;

	if (!conf->payload)
		return np_buf_append_str(&app->text, conf->value ? conf->value : "");
	ret = np_envelope_sign_text(conf->payload, strlen(conf->payload), keys->enc, &app->text);
	if (ret)
		return np_fail_errno(err, ret, "cannot sign");
	if (conf->corrupt) {
		char *at = strstr((char *)app->text.data, conf->corrupt);

		if (!at || !*conf->corrupt)
			return np_fail(err, -EINVAL, "--corrupt: no such text in the payload");
		at[strlen(conf->corrupt) - 1] ^= 1;
	}
	return 0;
}

static int run(const struct conf *conf, struct np_err *err)
{
	static const struct np_monitor_ops ops = { .note = on_note, .state = on_state };
	struct app app = { .loop = ev_default_loop(0), .conf = conf, .status = 1 };
	struct np_at_client_params params = { .loop = app.loop, .once = true };
	struct np_at_keys *keys = NULL;
	struct np_directory *dir = NULL;
	struct np_tls_ctx *tls = NULL;
	struct np_monitor *monitor = NULL;
	char path[PATH_MAX];
	ev_timer deadline;
	int ret;

	ev_timer_init(&deadline, on_deadline, (double)conf->secs, 0.);
	deadline.data = &app;
	ev_timer_start(app.loop, &deadline);
	ret = np_at_keys_default_path(conf->atsign, path, sizeof(path), err);
	if (ret ||
	    (ret = np_at_keys_load(conf->key_file ? conf->key_file : path, conf->atsign, &keys,
				   err)) ||
	    (ret = np_tls_client_ctx(conf->root_ca, NULL, NULL, &tls, err)) ||
	    (ret = np_directory_new(app.loop, tls, conf->root_domain, &dir, err)) ||
	    (ret = make_text(&app, keys, err)))
		goto out;
	params.tls = tls;
	params.dir = dir;
	params.keys = keys;
	ret = np_at_client_new(&params, NULL, NULL, &app.client, err);
	if (!ret && conf->get)
		ret = np_at_client_get(app.client, conf->get, conf->name, true, on_value, &app);
	else if (!ret && conf->listen)
		ret = np_monitor_open(app.client, conf->listen, 0, &ops, &app, &monitor, err);
	else if (!ret)
		send_it(&app);
	if (!ret)
		ev_run(app.loop, 0);
out:
	np_monitor_close(monitor);
	np_at_client_free(app.client);
	np_directory_free(dir);
	np_tls_ctx_free(tls);
	np_at_keys_free(keys);
	np_buf_fini(&app.text);
	return ret ? 1 : app.status;
}

int main(int argc, char **argv)
{
	struct conf conf = { .root_domain = "root.atsign.org", .secs = 10, .times = 1 };
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = np_cli_start(&parse, &prog, argc, argv, &conf);
	if (status == CLI_GO_ON) {
		status = run(&conf, &err);
		if (err.code)
			fprintf(stderr, "npnote: %s\n", np_err_text(&err));
	}
	np_cli_fini(&parse);
	return status;
}
