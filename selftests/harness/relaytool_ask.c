// SPDX-License-Identifier: BSD-3-Clause
/*
 * ask: exit 0 with an answer, 3 with a refusal, 4 when nothing comes. One line of JSON on stdout.
 */
#include "at/client.h"
#include "at/directory.h"
#include "at/keyfile.h"
#include "at/monitor.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "noports/envelope.h"
#include "noports/msg.h"
#include "relaytool.h"
#include "tls/tls.h"

#include <ev.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cli_opt relaytool_ask_opts[] = {
	CLI_STR("atsign", 'a', "ATSIGN", struct relaytool_conf, atsign, "who asks", CLI_REQUIRED),
	CLI_STR("relay", 'r', "ATSIGN", struct relaytool_conf, relay, "who is asked", CLI_REQUIRED),
	CLI_STR("device-atsign", 't', "ATSIGN", struct relaytool_conf, device, "side b", 0),
	CLI_STR("root-domain", 0, "HOST:PORT", struct relaytool_conf, root_domain, "directory",
		CLI_REQUIRED),
	CLI_STR("root-ca", 0, "FILE", struct relaytool_conf, root_ca, "CA", 0),
	CLI_STR("sid", 0, "ID", struct relaytool_conf, sid, "session id", 0),
	CLI_STR("claim", 0, "ATSIGN", struct relaytool_conf, claim, "atSignA in the request", 0),
	CLI_STR("auth", 0, "SIDES", struct relaytool_conf, auth, "which sides authenticate", 0),
	CLI_STR("auth-mode", 0, "MODE", struct relaytool_conf, mode, "relayAuthMode", 0),
	CLI_STR("id", 0, "ID", struct relaytool_conf, note_id, "notification id", 0),
	CLI_FLAG("ancient", 0, struct relaytool_conf, ancient, "the form of version 3 clients", 0),
	CLI_FLAG("json", 0, struct relaytool_conf, json, "ask for an answer in JSON", 0),
	CLI_FLAG("only443", 0, struct relaytool_conf, only443, "ask for the shared port", 0),
	CLI_U64("wait", 0, "SECONDS", struct relaytool_conf, wait_s, "for the answer", 1, 60, 0),
	CLI_END};

struct ask {
	const struct relaytool_conf *conf;
	struct ev_loop *loop;
	struct np_at_client *client;
	const struct np_at_keys *keys;
	char sid[80];
	int status;
};

static void die(const char *what, const struct np_err *err)
{
	fprintf(stderr, "relaytool: %s: %s\n", what, np_err_text(err));
	exit(1);
}

/* The line that a side sends, signed with the key file of its atSign; null without the file. */
static void add_line(struct np_json *out, const char *member, const char *atsign,
		     const struct ask *ask, const char *nonce)
{
	struct np_json *payload = np_json_obj();
	struct np_buf line = NP_BUF_INIT;
	struct np_at_keys *keys = NULL;
	char path[512];

	np_json_set_str(payload, "sessionId", ask->sid);
	np_json_set_str(payload, "clientNonce", "client-nonce");
	np_json_set_str(payload, "rvdNonce", nonce);
	if (atsign && !np_at_keys_default_path(atsign, path, sizeof(path), NULL) &&
	    !np_at_keys_load(path, atsign, &keys, NULL) &&
	    !np_envelope_sign(payload, keys->enc, &line))
		np_json_set_str(out, member, np_buf_str(&line));
	else
		np_json_set_null(out, member);
	np_at_keys_free(keys);
	np_buf_fini(&line);
	np_json_put(payload);
}

static void print(const struct np_json *json)
{
	struct np_buf text = NP_BUF_INIT;

	np_json_write(json, &text);
	puts(np_buf_str(&text));
	np_buf_fini(&text);
}

static void on_note(const struct np_at_notification *note, void *arg)
{
	struct np_json *out = np_json_obj();
	struct np_relay_answer answer;
	struct np_err err = NP_ERR_INIT;
	struct ask *ask = arg;

	ask->status = 0;
	if (np_str_starts(note->name, "nack.")) {
		np_json_set_str(out, "nack", note->value);
		ask->status = 3;
	} else if (np_relay_answer_read(note->value, note->value_len, &answer, &err)) {
		die("answer", &err);
	} else {
		np_json_set_str(out, "value", note->value);
		np_json_set_str(out, "address", answer.address);
		np_json_set_int(out, "portA", answer.port_a);
		np_json_set_int(out, "portB", answer.port_b);
		np_json_set_str(out, "nonce", answer.rvd_nonce);
		add_line(out, "lineA", ask->keys->atsign, ask, answer.rvd_nonce);
		add_line(out, "lineB", ask->conf->device, ask, answer.rvd_nonce);
	}
	print(out);
	np_json_put(out);
	ev_break(ask->loop, EVBREAK_ALL);
}

static void on_sent(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	(void)arg;
	if (err && err->code)
		die("request", err);
}

static void send_request(struct ask *ask)
{
	const struct relaytool_conf *conf = ask->conf;
	struct np_relay_request req = {.send_json_response = conf->json, .only443 = conf->only443};
	struct np_buf text = NP_BUF_INIT;
	struct np_at_put put = {
		.to = conf->relay, .ttl_ms = 10000, .ttln_ms = 60000, .id = conf->note_id};

	np_str_copy(req.sid, sizeof(req.sid), ask->sid);
	np_str_copy(req.atsign_a, sizeof(req.atsign_a), conf->claim ? conf->claim : conf->atsign);
	np_str_copy(req.atsign_b, sizeof(req.atsign_b), conf->device ? conf->device : "@none");
	np_str_copy(req.client_nonce, sizeof(req.client_nonce), "client-nonce");
	np_str_copy(req.auth_mode, sizeof(req.auth_mode), conf->mode ? conf->mode : "payload");
	req.auth_a = strchr(conf->auth, 'a') != NULL;
	req.auth_b = strchr(conf->auth, 'b') != NULL;
	if (conf->ancient)
		np_buf_append_str(&text, ask->sid);
	else
		np_relay_request_write(&req, &text);
	put.name = conf->ancient ? "dev1.sshrvd" : "dev1.request_ports.sshrvd";
	put.value = np_buf_str(&text);
	put.value_len = text.len;
	np_at_client_notify(ask->client, &put, on_sent, NULL);
	np_buf_fini(&text);
}

static void on_state(bool up, const struct np_err *err, void *arg)
{
	if (!up)
		die("monitor", err);
	send_request(arg);
}

static void on_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

int relaytool_ask(void *arg, const struct cli_parse *parse)
{
	static const struct np_monitor_ops ops = {.note = on_note, .state = on_state};
	const struct relaytool_conf *conf = arg;
	struct ask ask = {.conf = conf, .loop = ev_default_loop(0), .status = 4};
	struct np_at_client_params params = {.loop = ask.loop, .once = true};
	struct np_err err = NP_ERR_INIT;
	struct np_directory *dir = NULL;
	struct np_monitor *monitor = NULL;
	struct np_at_keys *keys = NULL;
	struct np_tls_ctx *tls = NULL;
	char path[512], regex[128];
	ev_timer late;

	(void)parse;
	if (conf->sid)
		np_str_copy(ask.sid, sizeof(ask.sid), conf->sid);
	else
		np_rand_uuid4(ask.sid);
	snprintf(regex, sizeof(regex), "%s.sshrvd@", ask.sid);
	if (np_at_keys_default_path(conf->atsign, path, sizeof(path), &err) ||
	    np_at_keys_load(path, conf->atsign, &keys, &err) ||
	    np_tls_client_ctx(conf->root_ca, NULL, NULL, &tls, &err) ||
	    np_directory_new(ask.loop, tls, conf->root_domain, &dir, &err))
		die("start", &err);
	params.tls = tls;
	params.dir = dir;
	params.keys = ask.keys = keys;
	if (np_at_client_new(&params, NULL, NULL, &ask.client, &err) ||
	    np_monitor_open(ask.client, regex, 0, &ops, &ask, &monitor, &err))
		die("start", &err);
	ev_timer_init(&late, on_late, (double)conf->wait_s, 0.);
	ev_timer_start(ask.loop, &late);
	ev_run(ask.loop, 0);
	np_monitor_close(monitor);
	np_at_client_free(ask.client);
	np_directory_free(dir);
	np_tls_ctx_free(tls);
	np_at_keys_free(keys);
	return ask.status;
}
