// SPDX-License-Identifier: BSD-3-Clause
/* srvd: the relay. Its atSign is asked for sessions; clients and devices meet on their ports. */
#include "srvd.h"

#include "at/client.h"
#include "at/directory.h"
#include "at/keyfile.h"
#include "at/monitor.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ready.h"
#include "json/json.h"
#include "relay/relay.h"
#include "splice/splice.h"
#include "tls/tls.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>

#define MONITOR_REGEX "\\.sshrvd@"
#define HEARTBEAT_MS 10000
#define NOOP_MS 15000
#define FEW_FDS 4096

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)revents;
	np_info("stopping signal=%d", w->signum);
	ev_break(loop, EVBREAK_ALL);
}

static void announce(struct srvd *srvd)
{
	struct np_json *top = np_json_obj(), *relay = np_json_obj();
	struct np_buf line = NP_BUF_INIT;

	srvd->is_ready = true;
	malloc_trim(0); /* what start-up and the first log-ins needed is not needed again */
	if (top && relay && !np_json_set_str(relay, "atsign", srvd->conf->atsign) &&
	    !np_json_set_str(relay, "address", srvd->conf->ip) &&
	    !np_json_set(top, "relay", np_json_ref(relay)) && !np_json_write(top, &line) &&
	    np_ready_announce(srvd->conf->ready_fd ? (int)srvd->conf->ready_fd : -1,
			      np_buf_str(&line)))
		np_warn("ready line could not be written fd=%d", (int)srvd->conf->ready_fd);
	np_json_put(relay);
	np_json_put(top);
	np_buf_fini(&line);
}

static void on_note(const struct np_at_notification *note, void *arg)
{
	srvd_request(arg, note);
}

static bool is_wanted(const char *from, const char *name, void *arg)
{
	return srvd_request_is_wanted(arg, from, name);
}

static void on_bad_note(const char *from, const char *key, const struct np_err *err, void *arg)
{
	struct srvd *srvd = arg;

	if (np_log_may(&srvd->denials, 20, 10000))
		np_warn("notification not readable from=%.60s key=%.120s: %s", from ? from : "?",
			key ? key : "?", np_err_text(err));
}

static void on_monitor_state(bool up, const struct np_err *err, void *arg)
{
	struct srvd *srvd = arg;

	if (!up) {
		np_warn_err(err, "requests are not heard, reconnecting");
		return;
	}
	np_info("listening for requests atsign=%s address=%s", srvd->conf->atsign, srvd->conf->ip);
	if (!srvd->is_ready)
		announce(srvd);
}

static void on_client_state(bool up, const struct np_err *err, void *arg)
{
	(void)arg;
	if (up)
		np_debug("atServer connection is up");
	else
		np_warn_err(err, "atServer connection is down, reconnecting");
}

/* Two descriptors per connection's end: the limit is what bounds a relay first. */
static void raise_fd_limit(void)
{
	unsigned long long limit = np_relay_raise_fd_limit();

	if (limit < FEW_FDS)
		np_warn("descriptor limit is low limit=%llu: raise it (LimitNOFILE=) for more than "
			"a few hundred "
			"connections",
			limit);
	else
		np_info("descriptor limit=%llu", limit);
}

/* Only header translation needs segments that fit both paths; a relay of bytes makes its own. */
static bool is_forwarding(const struct srvd_conf *conf)
{
	const char *backend = np_splice_names[conf->backend];

	return !strcmp(backend, "auto") || !strcmp(backend, "express");
}

static int open_relay(struct srvd *srvd, struct np_err *err)
{
	struct np_relay_params params = {
		.loop = srvd->loop,
		.bind_ip = srvd->conf->bind,
		.mss = is_forwarding(srvd->conf) ? (unsigned int)srvd->conf->mss : 0,
		.limits = {.sessions = (unsigned int)srvd->conf->max_sessions,
			   .per_client = (unsigned int)srvd->conf->max_per_client},
		.ops = {srvd_auth_verify, srvd_auth_closed},
		.arg = srvd,
	};
	int ret;

	ret = np_splice_new(srvd->loop, np_splice_names[srvd->conf->backend], &srvd->splice, err);
	if (ret)
		return np_err_prefix(err, "--backend");
	params.splice = srvd->splice;
	return np_relay_new(&params, &srvd->relay, err);
}

static int open_control(struct srvd *srvd, struct np_err *err)
{
	static const struct np_monitor_ops monitor_ops = {
		.note = on_note, .want = is_wanted, .bad = on_bad_note, .state = on_monitor_state};
	struct np_at_client_params params = {.loop = srvd->loop, .noop_interval_ms = NOOP_MS};
	int ret;

	ret = np_at_keys_load(srvd->conf->key_path, srvd->conf->atsign, &srvd->keys, err);
	if (!ret)
		ret = np_tls_client_ctx(srvd->conf->root_ca, NULL, NULL, &srvd->tls, err);
	if (!ret)
		ret = np_tls_ctx_set_alpn(srvd->tls, NP_AT_ALPN_PIPELINE);
	if (!ret)
		ret = np_directory_new(srvd->loop, srvd->tls, srvd->conf->root_domain, &srvd->dir,
				       err);
	if (ret)
		return ret;
	params.tls = srvd->tls;
	params.dir = srvd->dir;
	params.keys = srvd->keys;
	ret = np_at_client_new(&params, on_client_state, srvd, &srvd->client, err);
	if (ret)
		return ret;
	return np_monitor_open(srvd->client, MONITOR_REGEX, HEARTBEAT_MS, &monitor_ops, srvd,
			       &srvd->monitor, err);
}

static void watch_signals(struct srvd *srvd)
{
	ev_signal_init(&srvd->term, on_signal, SIGTERM);
	ev_signal_init(&srvd->intr, on_signal, SIGINT);
	ev_signal_start(srvd->loop, &srvd->term);
	ev_signal_start(srvd->loop, &srvd->intr);
}

/* The relay goes before the client: its sessions take back the questions they have asked. */
static void close_all(struct srvd *srvd)
{
	np_monitor_close(srvd->monitor);
	np_relay_free(srvd->relay);
	look_fini(srvd);
	np_at_client_free(srvd->client);
	np_splice_free(srvd->splice);
	np_directory_free(srvd->dir);
	np_tls_ctx_free(srvd->tls);
	np_at_keys_free(srvd->keys);
	seen_fini(&srvd->seen);
}

static int serve(const struct srvd_conf *conf)
{
	struct srvd srvd = {.loop = ev_default_loop(0), .conf = conf};
	struct np_err err = NP_ERR_INIT;
	int ret;

	if (!srvd.loop) {
		np_error("no event loop: the kernel refused epoll, poll and select");
		return 1;
	}
	raise_fd_limit();
	if (conf->is_open)
		np_warn("every atSign may use this relay, because of --manager open");
	ret = open_relay(&srvd, &err);
	if (!ret)
		ret = open_control(&srvd, &err);
	if (ret) {
		np_error("cannot start: %s", np_err_text(&err));
	} else {
		watch_signals(&srvd);
		ev_run(srvd.loop, 0);
		np_sd_notify("STOPPING=1");
	}
	close_all(&srvd);
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct srvd_conf conf = srvd_defaults;
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = np_cli_start(&parse, &srvd_prog, argc, argv, &conf);
	if (status == CLI_GO_ON) {
		np_log_open_stderr(conf.log_format == 1);
		np_log_set_level(conf.verbose ? NP_LOG_DEBUG : NP_LOG_INFO);
		status = srvd_conf_check(&conf, &err) ? np_cli_usage_exit(&parse, &err)
						      : serve(&conf);
	}
	srvd_conf_fini(&conf);
	np_cli_fini(&parse);
	return status;
}
