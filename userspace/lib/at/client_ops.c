// SPDX-License-Identifier: BSD-3-Clause
/*
 * The encrypted operations (atprotocol.md 10, 11, 17).
 *
 *	notify, put:  WAIT_SHARE -(key towards the receiver)-> SENT -> done
 *	get:          SENT -(record)-> [WAIT_KEY -(lookup:shared_key)->] done
 *	del, scan:    SENT -> done
 */
#include "at/client_impl.h"

#include "base/str.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"
#include "json/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 248

enum op_kind { OP_NOTIFY, OP_PUT, OP_DEL, OP_GET, OP_SCAN };

struct at_op {
	struct at_op *next;
	struct np_at_client *client;
	np_at_reply_cb cb;
	void *arg;
	enum op_kind kind;
	bool wait_share, is_cancelled;
	/* notify and put; for get: from and name */
	char to[NP_ATSIGN_MAX]; /* "" for a self record */
	char name[KEY_MAX + 1];
	char id[KEY_MAX + 1];
	struct np_secret value;
	int64_t ttl_ms, ttln_ms, ttr_s;
	bool ccd, is_public;
	/* get */
	struct np_json *record;
};

static struct at_op *new_op(struct np_at_client *client, enum op_kind kind, np_at_reply_cb cb,
			    void *arg)
{
	struct at_op *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->client = client;
	op->kind = kind;
	op->cb = cb;
	op->arg = arg;
	op->next = client->ops;
	client->ops = op;
	return op;
}

static void free_op(struct at_op *op)
{
	struct at_op **at = &op->client->ops;

	while (*at != op)
		at = &(*at)->next;
	*at = op->next;
	np_secret_fini(&op->value);
	np_json_put(op->record);
	free(op);
}

void at_ops_fini(struct np_at_client *client)
{
	while (client->ops)
		free_op(client->ops);
}

void at_ops_cancel(struct np_at_client *client, void *arg)
{
	struct at_op *op;

	for (op = client->ops; op; op = op->next)
		if (op->arg == arg)
			op->cb = NULL;
}

/*
 * The last thing that happens to an operation; it is gone before the callback, which may free the
 * client.
 */
static void finish(struct at_op *op, const struct np_err *err, const char *data, size_t len)
{
	np_at_reply_cb cb = op->cb;
	void *arg = op->arg;

	free_op(op);
	if (cb)
		cb(err, err->code ? NULL : data, err->code ? 0 : len, arg);
}

static void finish_failed(struct at_op *op, int ret, const char *what)
{
	struct np_err err = NP_ERR_INIT;

	np_fail_errno(&err, ret, "%s", what);
	finish(op, &err, NULL, 0);
}

static void on_plain_reply(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct at_op *op = arg;
	static const struct np_err none = NP_ERR_INIT;

	if (op->kind == OP_DEL && err->code == -ENOENT)
		finish(op, &none, "-1", 2);
	else
		finish(op, err, data, len);
}

/* A key name goes into a command line, so it must not bring separators of its own. */
static bool is_key_name(const char *name)
{
	const char *p;

	if (!*name || strlen(name) > KEY_MAX)
		return false;
	for (p = name; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == ':' || *p == '@' || *p == 0x7f)
			return false;
	return true;
}

/* --- notify and put --------------------------------------------------------------------------- */

/* Canonical order; a server may accept no other (7.2). */
static int add_metadata(const struct at_op *op, struct np_buf *line, const char *enc,
			const char *cs, const char *iv)
{
	int ret = 0;

	if (op->ttl_ms)
		ret = np_buf_printf(line, ":ttl:%lld", (long long)op->ttl_ms);
	if (!ret && op->ttr_s)
		ret = np_buf_printf(line, ":ttr:%lld:ccd:%s", (long long)op->ttr_s,
				    op->ccd ? "true" : "false");
	if (!ret && op->is_public) {
		ret = np_buf_append_str(line, ":dataSignature:");
		if (!ret)
			ret = np_rsa_sign_b64(op->client->params.keys->enc, NP_HASH_SHA256,
					      op->value.data, op->value.len, line);
	}
	if (!ret)
		ret = np_buf_printf(line, ":isEncrypted:%s", op->is_public ? "false" : "true");
	if (!ret && enc)
		ret = np_buf_printf(line, ":sharedKeyEnc:%s:pubKeyCS:%s", enc, cs);
	if (!ret && iv)
		ret = np_buf_printf(line, ":ivNonce:%s", iv);
	return ret;
}

static int add_key(const struct at_op *op, struct np_buf *line)
{
	if (op->is_public)
		return np_buf_printf(line, ":public:%s%s", op->name, at_client_own(op->client));
	if (!op->to[0])
		return np_buf_printf(line, ":%s%s", op->name, at_client_own(op->client));
	return np_buf_printf(line, ":%s:%s%s", op->to, op->name, at_client_own(op->client));
}

static int add_value(const struct at_op *op, struct np_buf *line, const struct np_secret *key,
		     const uint8_t *iv)
{
	int ret = np_buf_append_str(line, op->kind == OP_NOTIFY ? ":" : " ");

	if (ret)
		return ret;
	if (!key)
		return np_buf_append(line, op->value.data, op->value.len);
	return np_aes_encrypt_b64(key, iv, op->value.data, op->value.len, line);
}

static int send_put(struct at_op *op)
{
	bool to_self = !op->to[0] || !strcmp(op->to, at_client_own(op->client));
	struct at_peer *peer = op->is_public || to_self ? NULL : at_client_peer(op->client, op->to);
	const struct np_secret *key = op->is_public ? NULL
				      : peer	    ? &peer->out_key
						    : &op->client->params.keys->self_key;
	struct np_buf line = NP_BUF_INIT;
	uint8_t iv[NP_AES_IV_LEN];
	char iv_text[NP_B64_LEN(NP_AES_IV_LEN) + 1];
	int ret;

	ret = np_rand_bytes(iv, sizeof(iv));
	np_b64_encode(iv, sizeof(iv), iv_text);
	if (!ret && op->kind == OP_NOTIFY) {
		ret = np_buf_printf(
			&line,
			"notify:id:%s:update:messageType:key:priority:low:strategy:all:latestN:1"
			":notifier:SYSTEM",
			op->id);
		if (!ret && op->ttln_ms)
			ret = np_buf_printf(&line, ":ttln:%lld", (long long)op->ttln_ms);
	} else if (!ret) {
		ret = np_buf_append_str(&line, "update");
	}
	if (!ret)
		ret = add_metadata(op, &line, peer ? np_buf_str(&peer->out_enc) : NULL,
				   peer ? peer->out_cs : NULL, key ? iv_text : NULL);
	if (!ret)
		ret = add_key(op, &line);
	if (!ret)
		ret = add_value(op, &line, key, iv);
	if (!ret)
		ret = np_at_client_command(op->client, (const char *)line.data, line.len,
					   on_plain_reply, op);
	np_wipe(line.data, line.len);
	np_buf_fini(&line);
	return ret;
}

void at_ops_share_done(struct at_peer *peer, const struct np_err *err)
{
	struct np_at_client *client = peer->client;
	struct at_guard guard;
	struct at_op *op;

	at_guard_enter(client, &guard);
	for (;;) {
		struct at_op *oldest = NULL;
		int ret;

		/* New ones stand in front, so the last hit is the oldest. */
		for (op = client->ops; op; op = op->next)
			if (op->wait_share && !strcmp(op->to, peer->atsign))
				oldest = op;
		if (!oldest)
			break;
		oldest->wait_share = false;
		if (err) {
			finish(oldest, err, NULL, 0);
		} else {
			ret = send_put(oldest);
			if (ret)
				finish_failed(oldest, ret, "message cannot be sent");
		}
		if (guard.gone)
			return;
	}
	at_guard_leave(client, &guard);
}

static int check_put(const struct np_at_put *put, enum op_kind kind)
{
	char to[NP_ATSIGN_MAX];

	if (!is_key_name(put->name) || (kind == OP_NOTIFY && (!put->to || put->is_public)) ||
	    (put->to &&
	     (put->is_public || np_atsign_parse(put->to, to, NULL) || strcmp(to, put->to))))
		return -EINVAL;
	if (put->id && (!np_str_is_charset(put->id, "-_") || strlen(put->id) > KEY_MAX))
		return -EINVAL;
	if (put->is_public && (!put->value_len || memchr(put->value, '\n', put->value_len) ||
			       memchr(put->value, '\0', put->value_len)))
		return -EINVAL;
	return 0;
}

static int fill_put(struct at_op *op, const struct np_at_put *put)
{
	int ret;

	np_str_copy(op->to, sizeof(op->to), put->to ? put->to : "");
	np_str_copy(op->name, sizeof(op->name), put->name);
	np_str_lower(op->name);
	op->ttl_ms = put->ttl_ms;
	op->ttln_ms = put->ttln_ms;
	op->ttr_s = put->ttr_s;
	op->ccd = put->ccd;
	op->is_public = put->is_public;
	if (put->id)
		ret = np_str_copy(op->id, sizeof(op->id), put->id);
	else
		ret = np_rand_uuid4(op->id);
	return ret ? ret : np_secret_set(&op->value, put->value, put->value_len);
}

static int start_put(struct np_at_client *client, const struct np_at_put *put, enum op_kind kind,
		     np_at_reply_cb cb, void *arg)
{
	struct at_peer *peer = NULL;
	struct at_op *op;
	int ret;

	ret = check_put(put, kind);
	if (ret)
		return ret;
	op = new_op(client, kind, cb, arg);
	if (!op)
		return -ENOMEM;
	ret = fill_put(op, put);
	if (!ret && put->to && strcmp(put->to, at_client_own(client))) {
		peer = at_client_peer(client, put->to);
		ret = peer ? 0 : -ENOMEM;
	}
	if (!ret && peer && peer->share != SHARE_READY) {
		op->wait_share = true;
		ret = at_share_start(peer);
	} else if (!ret) {
		ret = send_put(op);
	}
	if (ret)
		free_op(op);
	return ret;
}

int np_at_client_notify(struct np_at_client *client, const struct np_at_put *put, np_at_reply_cb cb,
			void *arg)
{
	return start_put(client, put, OP_NOTIFY, cb, arg);
}

int np_at_client_put(struct np_at_client *client, const struct np_at_put *put, np_at_reply_cb cb,
		     void *arg)
{
	return start_put(client, put, OP_PUT, cb, arg);
}

/* --- del and scan ----------------------------------------------------------------------------- */

static int send_simple(struct np_at_client *client, enum op_kind kind, struct np_buf *line, int ret,
		       np_at_reply_cb cb, void *arg)
{
	struct at_op *op = ret ? NULL : new_op(client, kind, cb, arg);

	if (!ret && !op)
		ret = -ENOMEM;
	if (!ret)
		ret = np_at_client_command(client, (const char *)line->data, line->len,
					   on_plain_reply, op);
	if (ret && op)
		free_op(op);
	np_buf_fini(line);
	return ret;
}

int np_at_client_del(struct np_at_client *client, const char *to, const char *name,
		     np_at_reply_cb cb, void *arg)
{
	struct np_buf line = NP_BUF_INIT;
	char atsign[NP_ATSIGN_MAX];
	int ret;

	if (!is_key_name(name) || (to && np_atsign_parse(to, atsign, NULL)))
		return -EINVAL;
	ret = np_buf_printf(&line, "delete:%s%s%s%s", to ? atsign : "", to ? ":" : "", name,
			    at_client_own(client));
	return send_simple(client, OP_DEL, &line, ret, cb, arg);
}

int np_at_client_scan(struct np_at_client *client, const char *of, const char *regex,
		      np_at_reply_cb cb, void *arg)
{
	struct np_buf line = NP_BUF_INIT;
	char atsign[NP_ATSIGN_MAX] = "";
	int ret;

	if (of && np_atsign_parse(of, atsign, NULL))
		return -EINVAL;
	ret = np_buf_printf(&line, "scan%s%s%s%s", of ? ":" : "", atsign, regex ? " " : "",
			    regex ? regex : "");
	return send_simple(client, OP_SCAN, &line, ret, cb, arg);
}

/* --- get -------------------------------------------------------------------------------------- */

static void open_record(struct at_op *op, const char *cipher, bool is_fresh);

static void on_cipher(const struct np_err *err, const char *cipher, bool is_fresh, void *arg)
{
	struct at_op *op = arg;

	if (err->code)
		finish(op, err, NULL, 0);
	else
		open_record(op, cipher, is_fresh);
}

static void open_record(struct at_op *op, const char *cipher, bool is_fresh)
{
	const struct np_json *meta = np_json_get(op->record, "metaData");
	struct at_sealed sealed = {
		.from = op->to,
		.value = np_json_str(op->record, "data"),
		.shared_key_enc = np_json_str(meta, "sharedKeyEnc"),
		.pub_key_cs = np_json_str(meta, "pubKeyCS"),
		.iv = np_json_str(meta, "ivNonce"),
	};
	struct np_secret plain = NP_SECRET_INIT;
	struct np_err err = NP_ERR_INIT;
	int ret;

	ret = at_sealed_open(op->client, &sealed, cipher, &plain, &err);
	if (ret == -EAGAIN || (ret && cipher && !is_fresh)) {
		ret = at_key_incoming(op->client, op->to, cipher != NULL, on_cipher, op);
		if (ret)
			finish_failed(op, ret, "shared key cannot be looked up");
		return;
	}
	if (ret)
		np_err_prefix(&err, "%.60s%s", op->name, op->to);
	/* The secret outlives the operation, the callback borrows it. */
	finish(op, &err, np_secret_str(&plain), plain.len);
	np_secret_fini(&plain);
}

/* The callback borrows from the record, which therefore outlives the operation. */
static void finish_with_record(struct at_op *op, const char *value)
{
	static const struct np_err none = NP_ERR_INIT;
	struct np_json *record = op->record;

	op->record = NULL;
	finish(op, &none, value, strlen(value));
	np_json_put(record);
}

static void on_record(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct at_op *op = arg;
	struct np_err why = *err;
	const struct np_json *meta;
	const char *key, *value;

	if (!why.code && !strcmp(data, "null"))
		np_fail(&why, -ENOENT, "%.60s%s: has expired", op->name, op->to);
	if (!why.code) {
		op->record = np_json_parse(data, len, "record", &why);
		value = np_json_str(op->record, "data");
		if (op->record && !value)
			np_fail(&why, -ENOENT, "%.60s%s: has no value", op->name, op->to);
	}
	if (why.code) {
		finish(op, &why, NULL, 0);
		return;
	}
	meta = np_json_get(op->record, "metaData");
	key = np_json_str(op->record, "key");
	value = np_json_str(op->record, "data");
	if (np_json_bool(meta, "isEncrypted", false) && !(key && np_str_starts(key, "public:")))
		open_record(op, NULL, false);
	else
		finish_with_record(op, value);
}

int np_at_client_get(struct np_at_client *client, const char *from, const char *name,
		     bool bypass_cache, np_at_reply_cb cb, void *arg)
{
	bool is_own = !from || !strcmp(from, at_client_own(client));
	struct np_buf line = NP_BUF_INIT;
	struct at_op *op;
	int ret;

	if (!is_key_name(name))
		return -EINVAL;
	op = new_op(client, OP_GET, cb, arg);
	if (!op)
		return -ENOMEM;
	ret = np_atsign_parse(is_own ? at_client_own(client) : from, op->to, NULL);
	if (!ret)
		ret = np_str_copy(op->name, sizeof(op->name), name);
	if (!ret && is_own)
		ret = np_buf_printf(&line, "llookup:all:%s%s", name, at_client_own(client));
	else if (!ret)
		ret = np_buf_printf(&line, "lookup:%sall:%s%s",
				    bypass_cache ? "bypassCache:true:" : "", name, op->to);
	if (!ret)
		ret = np_at_client_command(client, (const char *)line.data, line.len, on_record,
					   op);
	if (ret)
		free_op(op);
	np_buf_fini(&line);
	return ret;
}
