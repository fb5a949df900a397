// SPDX-License-Identifier: BSD-3-Clause
#include "atfake.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"
#include "json/json.h"
#include "net/linebuf.h"
#include "net/listen.h"
#include "net/sock.h"
#include "tls/tls.h"

#include <ev.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fake_owner {
	struct np_at_keys *keys;
	struct np_rsa *pkam; /* not owned when keys is set */
	char secret[256];
};

struct fake_record {
	char *value;
	char *meta; /* JSON text */
};

struct fake_conn {
	struct fake_conn *next;
	struct fake_world *w;
	struct np_tls *tls;
	int raw_fd;
	struct np_linebuf lines;
	bool is_dir, is_monitor, is_in;
	int64_t monitor_since;
	char who[NP_ATSIGN_MAX];
	char challenge[256];
	bool owes_prompt;
	struct np_buf held;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake world: %s failed\n", what);
	abort();
}

/* --- records ---------------------------------------------------------------------------------- */

static void free_record(void *value)
{
	struct fake_record *r = value;

	free(r->value);
	free(r->meta);
	free(r);
}

void fake_put(struct fake_world *w, const char *key, const char *value, const char *meta_json)
{
	struct fake_record *r = calloc(1, sizeof(*r));
	void *old = NULL;

	must(r != NULL, "malloc");
	r->value = strdup(value);
	r->meta = strdup(meta_json ? meta_json : "{}");
	must(np_map_put(&w->records, key, r, &old) == 0, "record");
	if (old)
		free_record(old);
}

const char *fake_value(const struct fake_world *w, const char *key)
{
	struct fake_record *r = np_map_get(&w->records, key);

	return r ? r->value : NULL;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void send_bytes(struct fake_conn *c, const void *data, size_t len)
{
	const struct fake_mood *mood = c->is_dir ? &c->w->dir_mood : &c->w->mood;
	const char *p = data;

	if (!c->is_dir && mood->hold && c->w->nr_commands > 1) {
		np_buf_append(&c->held, data, len);
		if (c->w->nr_commands <= mood->hold)
			return;
		np_tls_write(c->tls, c->held.data, c->held.len);
		np_buf_fini(&c->held);
		return;
	}
	while (len) {
		size_t part = mood->cut && mood->cut < len ? mood->cut : len;

		np_tls_write(c->tls, p, part);
		p += part;
		len -= part;
	}
}

static void answer(struct fake_conn *c, const char *text)
{
	struct np_buf out = NP_BUF_INIT;

	if (c->owes_prompt)
		np_buf_printf(&out, c->is_in ? "%s@" : "@", c->who);
	c->owes_prompt = c->w->mood.late_prompt;
	np_buf_printf(&out, "%s\n", text);
	if (!c->owes_prompt && !c->is_monitor)
		np_buf_printf(&out, c->is_in ? "%s@" : "@", c->who);
	send_bytes(c, out.data, out.len);
	np_buf_fini(&out);
}

static void answer_data(struct fake_conn *c, const char *payload)
{
	struct np_buf out = NP_BUF_INIT;

	np_buf_printf(&out, "data:%s", payload);
	answer(c, np_buf_str(&out));
	np_buf_fini(&out);
}

static void answer_missing(struct fake_conn *c, const char *key)
{
	struct np_buf out = NP_BUF_INIT;

	np_buf_printf(&out, "error:AT0015-key not found : %s does not exist in keystore", key);
	answer(c, np_buf_str(&out));
	np_buf_fini(&out);
}

static void answer_record(struct fake_conn *c, const char *key, bool all)
{
	struct fake_record *r = np_map_get(&c->w->records, key);
	struct np_buf out = NP_BUF_INIT;
	struct np_json *obj;

	if (!r) {
		answer_missing(c, key);
		return;
	}
	if (!all) {
		answer_data(c, r->value);
		return;
	}
	obj = np_json_obj();
	np_json_set_str(obj, "key", key);
	np_json_set_str(obj, "data", r->value);
	np_json_set(obj, "metaData", np_json_parse(r->meta, strlen(r->meta), "meta", NULL));
	np_json_write(obj, &out);
	answer_data(c, np_buf_str(&out));
	np_json_put(obj);
	np_buf_fini(&out);
}

/* --- verbs ------------------------------------------------------------------------------------ */

static void do_from(struct fake_conn *c, const char *who)
{
	char data[sizeof(c->challenge) + 8];

	must(np_atsign_parse(who, c->who, NULL) == 0, "from");
	snprintf(c->challenge, sizeof(c->challenge),
		 "_4af24c03-d732-48f8-a9a2-570e8fb6a01c%s:%u-49c9", c->who, c->w->nr_commands);
	snprintf(data, sizeof(data), "%s%s", c->w->mood.proof ? "proof:" : "", c->challenge);
	answer_data(c, data);
}

static void do_pkam(struct fake_conn *c, const char *args)
{
	struct fake_owner *o = np_map_get(&c->w->owners, c->who);
	const char *sig = strrchr(args, ':');

	if (o && o->pkam && sig &&
	    !np_rsa_verify_b64(o->pkam, NP_HASH_SHA256, c->challenge, strlen(c->challenge), sig + 1,
			       strlen(sig + 1))) {
		c->is_in = true;
		answer(c, "data:success");
	} else {
		answer(c, "error:AT0401-Exception: pkam authentication failed");
	}
}

static void do_cram(struct fake_conn *c, const char *digest)
{
	struct fake_owner *o = np_map_get(&c->w->owners, c->who);
	char want[NP_HASH_HEX_MAX];

	if (!o || !o->secret[0]) {
		answer(c,
		       "error:AT0015-Exception: privatekey:at_secret does not exist in keystore");
		return;
	}
	np_hash_hex(NP_HASH_SHA512, o->secret, strlen(o->secret), c->challenge,
		    strlen(c->challenge), want);
	c->is_in = !strcmp(want, digest);
	answer(c, c->is_in ? "data:success" : "error:AT0401-Exception: Authentication Failed");
}

static bool take_meta(char **p, struct np_json *meta)
{
	static const char *const names[] = {
		"ttl",		"ttb",	    "ttr",     "ccd",  "dataSignature", "isEncrypted",
		"sharedKeyEnc", "pubKeyCS", "ivNonce", "ttln", "skeEncKeyName"};
	size_t i, len;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		len = strlen(names[i]);
		if (!strncmp(*p, names[i], len) && (*p)[len] == ':') {
			char *value = *p + len + 1, *end = strchr(value, ':');

			must(end != NULL, "metadata");
			*end = '\0';
			if (!strcmp(value, "true") || !strcmp(value, "false"))
				np_json_set_bool(meta, names[i], *value == 't');
			else
				np_json_set_str(meta, names[i], value);
			*p = end + 1;
			return true;
		}
	}
	return false;
}

static void do_update(struct fake_conn *c, char *args)
{
	struct np_json *meta = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	char *value = strchr(args, ' ');

	must(value != NULL, "update");
	*value++ = '\0';
	while (take_meta(&args, meta))
		;
	np_json_write(meta, &text);
	fake_put(c->w, args, value, np_buf_str(&text));
	np_buf_fini(&text);
	np_json_put(meta);
	answer_data(c, "7");
}

static void do_lookup(struct fake_conn *c, const char *args, const char *form, bool is_public)
{
	bool all;
	char key[512];

	if (np_str_starts(args, "bypassCache:true:"))
		args += strlen("bypassCache:true:");
	all = np_str_starts(args, "all:");
	args += all ? 4 : 0;
	if (is_public)
		snprintf(key, sizeof(key), form, args);
	else
		snprintf(key, sizeof(key), form, c->who, args);
	answer_record(c, key, all);
}

struct scan {
	struct np_json *list;
	const char *owner, *part;
};

static bool scan_one(const char *key, void *value, void *arg)
{
	struct scan *s = arg;

	(void)value;
	if (np_str_ends(key, s->owner) && (!s->part || strstr(key, s->part)))
		np_json_add_str(s->list, key);
	return true;
}

static void do_scan(struct fake_conn *c, const char *args)
{
	struct scan s = {.list = np_json_arr(), .owner = c->who, .part = strchr(args, ' ')};
	struct np_buf out = NP_BUF_INIT;

	s.part = s.part ? s.part + 1 : NULL;
	np_map_each(&c->w->records, scan_one, &s);
	np_json_write(s.list, &out);
	answer_data(c, np_buf_str(&out));
	np_buf_fini(&out);
	np_json_put(s.list);
}

static void push_note(struct fake_conn *c, const char *json)
{
	struct np_buf out = NP_BUF_INIT;

	np_buf_printf(&out, "%s%snotification: %s\n", c->owes_prompt ? c->who : "",
		      c->owes_prompt ? "@" : "", json);
	c->owes_prompt = false;
	send_bytes(c, out.data, out.len);
	np_buf_fini(&out);
}

void fake_notify(struct fake_world *w, const char *to, const char *json)
{
	struct fake_conn *c;

	np_buf_printf(&w->stored, "%s %s\n", to, json);
	for (c = w->conns; c; c = c->next)
		if (c->is_monitor && !strcmp(c->who, to))
			push_note(c, json);
}

static void do_notify(struct fake_conn *c, char *args)
{
	struct np_json *meta = np_json_obj(), *note = np_json_obj();
	char id[64] = "", to[NP_ATSIGN_MAX], *p = args, *colon, *value;
	struct np_buf out = NP_BUF_INIT;
	bool is_encrypted;

	must(sscanf(p, "id:%63[^:]", id) == 1, "notify id");
	p = strstr(p, "SYSTEM:") + strlen("SYSTEM:");
	while (take_meta(&p, meta))
		;
	is_encrypted = np_json_bool(meta, "isEncrypted", false);
	colon = strchr(p, ':');
	np_str_copy_n(to, sizeof(to), p, (size_t)(colon - p));
	value = strchr(colon + 1, ':');
	*value++ = '\0';
	if (c->w->mood.drop_sharedkeyenc)
		np_json_set_null(meta, "sharedKeyEnc");
	np_json_set_str(note, "id", id);
	np_json_set_str(note, "from", c->who);
	np_json_set_str(note, "to", to);
	np_json_set_str(note, "key", p);
	np_json_set_str(note, "value", value);
	np_json_set_str(note, "operation", "update");
	np_json_set_int(note, "epochMillis", c->w->epoch_ms++);
	np_json_set_str(note, "messageType", "MessageType.key");
	np_json_set_bool(note, "isEncrypted", is_encrypted);
	np_json_set(note, "metadata", meta);
	np_json_write(note, &out);
	fake_notify(c->w, to, np_buf_str(&out));
	np_json_put(note);
	np_buf_fini(&out);
	answer_data(c, id);
}

static void do_monitor(struct fake_conn *c, const char *line)
{
	long long since = -1;
	char *copy, *cursor, *text;

	sscanf(line, "monitor:%lld", &since);
	c->is_monitor = true;
	if (since < 0 || !c->w->stored.len)
		return;
	copy = strdup(np_buf_str(&c->w->stored));
	for (cursor = copy; (text = strsep(&cursor, "\n"));) {
		char *json = strchr(text, ' ');
		struct np_json *note;

		if (!json)
			continue;
		*json++ = '\0';
		note = np_json_parse(json, strlen(json), "stored", NULL);
		if (!strcmp(text, c->who) && np_json_int(note, "epochMillis", 0) > since)
			push_note(c, json);
		np_json_put(note);
	}
	free(copy);
}

static void do_enroll(struct fake_conn *c, const char *json)
{
	struct fake_owner *o = np_map_get(&c->w->owners, c->who);
	struct np_json *req = np_json_parse(json, strlen(json), "enroll", NULL);
	const char *pub = np_json_str(req, "apkamPublicKey");

	must(c->is_in && pub != NULL, "enroll");
	np_rsa_free(o->pkam);
	o->pkam = NULL;
	must(np_rsa_load_public(pub, strlen(pub), &o->pkam, NULL) == 0, "apkamPublicKey");
	np_json_put(req);
	answer_data(c, "{\"enrollmentId\":\"e7b0e7b0-0000-4000-8000-000000000001\",\"status\":"
		       "\"approved\"}");
}

static void do_delete(struct fake_conn *c, const char *key)
{
	struct fake_owner *o = np_map_get(&c->w->owners, c->who);
	struct fake_record *r = np_map_remove(&c->w->records, key);

	if (!strcmp(key, "privatekey:at_secret") && o)
		o->secret[0] = '\0';
	if (r)
		free_record(r);
	answer_data(c, "8");
}

static void on_command(struct fake_conn *c, char *line)
{
	struct fake_world *w = c->w;
	struct fake_mood *mood = &w->mood;

	w->nr_commands++;
	np_buf_printf(&w->log, "%s %s\n", c->who, line);
	if (mood->silent || (mood->silent_noop && np_str_starts(line, "noop")))
		return;
	if (mood->prefix && np_str_starts(line, mood->prefix) && mood->after) {
		mood->after--;
	} else if (mood->prefix && np_str_starts(line, mood->prefix)) {
		if (mood->answer)
			send_bytes(c, mood->answer, strlen(mood->answer));
		else
			np_tls_close(c->tls), c->tls = NULL;
		mood->prefix = NULL;
		return;
	}
	if (np_str_starts(line, "from:"))
		do_from(c, line + 5);
	else if (np_str_starts(line, "pkam:"))
		do_pkam(c, line + 5);
	else if (np_str_starts(line, "cram:"))
		do_cram(c, line + 5);
	else if (np_str_starts(line, "llookup:all:"))
		answer_record(c, line + 12, true);
	else if (np_str_starts(line, "llookup:"))
		answer_record(c, line + 8, false);
	else if (np_str_starts(line, "plookup:"))
		do_lookup(c, line + 8, "public:%s", true);
	else if (np_str_starts(line, "lookup:"))
		do_lookup(c, line + 7, "%s:%s", false);
	else if (np_str_starts(line, "update:"))
		do_update(c, line + 7);
	else if (np_str_starts(line, "delete:"))
		do_delete(c, line + 7);
	else if (np_str_starts(line, "scan"))
		do_scan(c, line + 4);
	else if (np_str_starts(line, "notify:"))
		do_notify(c, line + 7);
	else if (np_str_starts(line, "monitor"))
		do_monitor(c, line);
	else if (np_str_starts(line, "enroll:request:"))
		do_enroll(c, line + 15);
	else if (np_str_starts(line, "noop:"))
		answer(c, "data:ok");
	else
		answer(c, "error:AT0003-Exception: invalid command");
}

static void on_dir_line(struct fake_conn *c, const char *line)
{
	char text[400];

	c->w->nr_lookups++;
	if (c->w->dir_mood.silent)
		return;
	if (c->w->dir_mood.answer) {
		send_bytes(c, c->w->dir_mood.answer, strlen(c->w->dir_mood.answer));
		return;
	}
	snprintf(text, sizeof(text), "@%s", line);
	if (np_map_get(&c->w->owners, text))
		snprintf(text, sizeof(text), "%s:%u\r\n@", c->w->host, c->w->at_port);
	else
		snprintf(text, sizeof(text), "null\r\n@");
	send_bytes(c, text, strlen(text));
}

/* --- connections ------------------------------------------------------------------------------ */

static void free_conn(struct fake_conn *c)
{
	struct fake_conn **at = &c->w->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	np_tls_close(c->tls);
	np_fd_close(&c->raw_fd);
	np_linebuf_fini(&c->lines);
	np_buf_fini(&c->held);
	free(c);
}

static void on_ready(struct np_tls *tls, void *arg)
{
	struct fake_conn *c = arg;

	(void)tls;
	if (c->is_dir ? !c->w->dir_mood.silent : !c->w->mood.silent)
		send_bytes(c, "@", 1);
}

static void on_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct fake_conn *c = arg;
	char *line;

	(void)tls;
	np_linebuf_feed(&c->lines, data, len);
	while (c->tls && np_linebuf_next(&c->lines, &line, &len) > 0) {
		if (c->is_dir)
			on_dir_line(c, line);
		else
			on_command(c, line);
		np_linebuf_drop(&c->lines);
	}
	if (!c->tls)
		free_conn(c);
}

static void on_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	(void)tls;
	(void)err;
	free_conn(arg);
}

static const struct np_tls_ops fake_ops = {.ready = on_ready, .data = on_data, .closed = on_closed};

static struct fake_conn *new_conn(struct fake_world *w, bool is_dir, int fd)
{
	struct fake_conn *c = calloc(1, sizeof(*c));

	must(c != NULL, "malloc");
	c->w = w;
	c->is_dir = is_dir;
	c->raw_fd = -1;
	c->lines = (struct np_linebuf)NP_LINEBUF_INIT(1 << 20);
	c->next = w->conns;
	w->conns = c;
	w->nr_conns++;
	if (!is_dir && w->mood.mute_tls)
		c->raw_fd = fd;
	else
		must(np_tls_accept(w->loop, w->server_tls, fd, &fake_ops, c, &c->tls, NULL) == 0,
		     "accept");
	return c;
}

static void on_accept_dir(int fd, const struct np_addr *peer, void *arg)
{
	(void)peer;
	new_conn(arg, true, fd);
}

static void on_accept_at(int fd, const struct np_addr *peer, void *arg)
{
	(void)peer;
	new_conn(arg, false, fd);
}

void fake_drop_conns(struct fake_world *w)
{
	while (w->conns)
		free_conn(w->conns);
}

/* --- world ------------------------------------------------------------------------------------ */

static void make_server_tls(struct fake_world *w, const struct np_cert *ca, const char *host,
			    int64_t from_s, int64_t to_s)
{
	const char *const hosts[] = {host};
	const struct np_cert_params params = {
		.hosts = hosts, .nr_hosts = 1, .from_s = from_s, .to_s = to_s};
	struct np_cert *cert = NULL;
	char pem[160], key[160];

	snprintf(pem, sizeof(pem), "%s/server.pem", w->dir);
	snprintf(key, sizeof(key), "%s/server.key", w->dir);
	unlink(pem);
	unlink(key);
	must(np_cert_make_server(ca, &params, &cert, NULL) == 0, "certificate");
	must(np_cert_save(cert, pem, key, NULL) == 0, "certificate file");
	np_cert_free(cert);
	np_tls_ctx_free(w->server_tls);
	must(np_tls_server_ctx(pem, key, NULL, &w->server_tls, NULL) == 0, "server context");
}

void fake_serve_with(struct fake_world *w, const struct np_cert *ca, const char *host,
		     int64_t from_s, int64_t to_s)
{
	make_server_tls(w, ca ? ca : w->ca, host, from_s, to_s);
}

void fake_start_at(struct fake_world *w)
{
	must(np_listener_open(w->loop, np_sock_listen("127.0.0.1", 0, 16, NULL), "fake atServer",
			      on_accept_at, w, &w->at_listener) == 0,
	     "listen");
	w->at_port = np_listener_port(w->at_listener);
}

void fake_stop_at(struct fake_world *w)
{
	np_listener_close(w->at_listener);
	w->at_listener = NULL;
	fake_drop_conns(w);
}

void fake_open(struct fake_world *w)
{
	static const struct np_cert_params ca = {.name = "fake world CA"};
	const char *tmp = getenv("TMPDIR");
	struct np_buf pem = NP_BUF_INIT;

	signal(SIGPIPE, SIG_IGN);
	memset(w, 0, sizeof(*w));
	w->loop = ev_default_loop(0);
	w->host = "127.0.0.1";
	w->epoch_ms = np_clock_wall_ms();
	snprintf(w->dir, sizeof(w->dir), "%.100s/np-fake.XXXXXX", tmp ? tmp : "/tmp");
	must(mkdtemp(w->dir) != NULL, "mkdtemp");
	snprintf(w->ca_path, sizeof(w->ca_path), "%s/ca.pem", w->dir);
	must(np_cert_make_ca(&ca, &w->ca, NULL) == 0 && np_cert_pem(w->ca, &pem) == 0, "CA");
	must(np_file_create_new(w->ca_path, pem.data, pem.len, 0644, NULL) == 0, "CA file");
	np_buf_fini(&pem);
	make_server_tls(w, w->ca, "127.0.0.1", 0, 0);
	must(np_tls_client_ctx(w->ca_path, NULL, NULL, &w->client_tls, NULL) == 0,
	     "client context");
	must(np_listener_open(w->loop, np_sock_listen("127.0.0.1", 0, 16, NULL), "fake directory",
			      on_accept_dir, w, &w->dir_listener) == 0,
	     "listen");
	w->dir_port = np_listener_port(w->dir_listener);
	fake_start_at(w);
}

static void free_owner(void *value)
{
	struct fake_owner *o = value;

	if (!o->keys)
		np_rsa_free(o->pkam);
	free(o);
}

static void remove_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[512];

	must(d != NULL, "opendir");
	while ((entry = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	closedir(d);
	rmdir(dir);
}

void fake_close(struct fake_world *w)
{
	np_listener_close(w->dir_listener);
	np_listener_close(w->at_listener);
	fake_drop_conns(w);
	np_map_fini(&w->owners, free_owner);
	np_map_fini(&w->records, free_record);
	np_buf_fini(&w->log);
	np_buf_fini(&w->stored);
	np_tls_ctx_free(w->client_tls);
	np_tls_ctx_free(w->server_tls);
	np_cert_free(w->ca);
	remove_dir(w->dir);
	memset(w, 0, sizeof(*w));
}

/* Made once per atSign and process: RSA keys cost a tenth of a second each under a sanitizer. */
static struct np_at_keys *keys_of(const char *atsign)
{
	static struct np_map all;
	struct np_at_keys *keys = np_map_get(&all, atsign);

	if (keys)
		return keys;
	must(np_at_keys_generate(atsign, &keys, NULL) == 0 &&
		     np_map_put(&all, atsign, keys, NULL) == 0,
	     "keys");
	return keys;
}

struct np_at_keys *fake_owner(struct fake_world *w, const char *atsign)
{
	struct fake_owner *o = calloc(1, sizeof(*o));
	char key[NP_ATSIGN_MAX + 32];

	must(o != NULL, "malloc");
	o->keys = keys_of(atsign);
	np_str_copy(o->keys->enrollment_id, sizeof(o->keys->enrollment_id), "e7b0");
	o->pkam = o->keys->pkam;
	must(np_map_put(&w->owners, atsign, o, NULL) == 0, "owner");
	snprintf(key, sizeof(key), "public:publickey%s", atsign);
	fake_put(w, key, np_buf_str(&o->keys->enc_public_b64), NULL);
	return o->keys;
}

void fake_invite(struct fake_world *w, const char *atsign, const char *secret)
{
	struct fake_owner *o = calloc(1, sizeof(*o));

	must(o && np_map_put(&w->owners, atsign, o, NULL) == 0, "owner");
	np_str_copy(o->secret, sizeof(o->secret), secret);
}

const char *fake_root(const struct fake_world *w)
{
	static char text[32];

	snprintf(text, sizeof(text), "127.0.0.1:%u", w->dir_port);
	return text;
}

unsigned int fake_count(const struct fake_world *w, const char *part)
{
	const char *p = np_buf_str(&w->log);
	unsigned int n = 0;

	while ((p = strstr(p, part))) {
		n++;
		p += strlen(part);
	}
	return n;
}

unsigned int fake_monitors(const struct fake_world *w)
{
	const struct fake_conn *c;
	unsigned int n = 0;

	for (c = w->conns; c; c = c->next)
		n += c->is_monitor;
	return n;
}

static void on_tick(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)t;
	(void)revents;
}

bool fake_wait(struct fake_world *w, bool (*cond)(void *arg), void *arg, unsigned int ms)
{
	long long end = np_clock_mono_ms() + ms;
	ev_timer tick;
	bool hit;

	ev_now_update(w->loop);
	ev_timer_init(&tick, on_tick, 0.02, 0.02);
	ev_timer_start(w->loop, &tick);
	while (!(hit = cond(arg)) && np_clock_mono_ms() < end)
		ev_run(w->loop, EVRUN_ONCE);
	ev_timer_stop(w->loop, &tick);
	return hit;
}

static bool is_set(void *arg)
{
	return *(const bool *)arg;
}

bool fake_run(struct fake_world *w, const bool *done, unsigned int ms)
{
	return fake_wait(w, is_set, (void *)(uintptr_t)done, ms);
}
