// SPDX-License-Identifier: BSD-3-Clause
/*
 * Public keys of peers and the AES keys between two atSigns (atprotocol.md 17.4).
 *
 *	SHARE_NONE -(llookup:all:shared_key.bob@alice)-> found, with sharedKeyEnc and pubKeyCS  -> READY  (1 round trip)
 *	                                                 found, made by another library -> plookup -> READY
 *	                                                 absent -> plookup, delete, 2 updates      -> READY
 *
 * Our own record carries what goes into every notification (sharedKeyEnc, pubKeyCS) as its metadata, which saves
 * asking for the peer's public key before the first one. That is checked a little later, off the critical path; when
 * the peer's key has changed, the next operation makes a new AES key.
 */
#include "at/client_impl.h"

#include "base/log.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"
#include "json/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PEERS 4096
#define MAX_OPENED 64
#define CHECK_S 2.
#define SHARED_KEY_TTR_S 3888000

static int cmdf(struct np_at_client *client, np_at_reply_cb cb, void *arg, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int cmdf(struct np_at_client *client, np_at_reply_cb cb, void *arg, const char *fmt, ...)
{
	char line[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		return -ENAMETOOLONG;
	return np_at_client_command(client, line, (size_t)n, cb, arg);
}

static const char *own(const struct np_at_client *client)
{
	return client->params.keys->atsign;
}

/* --- peers --------------------------------------------------------------------------------------------------- */

static void on_kick(struct ev_loop *loop, ev_timer *w, int revents);
static void on_check(struct ev_loop *loop, ev_timer *w, int revents);

static struct at_pubkey *new_pubkey(const char *b64, struct np_err *err)
{
	size_t len = strlen(b64);
	struct at_pubkey *pub = calloc(1, sizeof(*pub) + len + 1);
	int ret;

	if (!pub) {
		np_fail(err, -ENOMEM, "out of memory");
		return NULL;
	}
	memcpy(pub->b64, b64, len);
	ret = np_rsa_load_public(b64, len, &pub->key, err);
	if (!ret)
		ret = np_hash_hex(NP_HASH_MD5, b64, len, NULL, 0, pub->md5);
	if (ret) {
		np_rsa_free(pub->key);
		free(pub);
		return NULL;
	}
	return pub;
}

static void free_waiters(struct at_key_waiter *w)
{
	while (w) {
		struct at_key_waiter *next = w->next;

		free(w);
		w = next;
	}
}

static void free_peer(void *value)
{
	struct at_peer *peer = value;

	while (peer->pub) {
		struct at_pubkey *older = peer->pub->older;

		np_rsa_free(peer->pub->key);
		free(peer->pub);
		peer->pub = older;
	}
	ev_timer_stop(peer->client->params.loop, &peer->kick);
	ev_timer_stop(peer->client->params.loop, &peer->check);
	free_waiters(peer->pub_waiters);
	free_waiters(peer->in_waiters);
	np_secret_fini(&peer->out_key);
	np_buf_fini(&peer->out_own);
	np_buf_fini(&peer->out_enc);
	np_buf_fini(&peer->in_cipher);
	free(peer);
}

struct at_peer *at_client_peer(struct np_at_client *client, const char *atsign)
{
	struct at_peer *peer = np_map_get(&client->peers, atsign);

	if (peer || client->peers.nr >= MAX_PEERS || strlen(atsign) >= NP_ATSIGN_MAX)
		return peer;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->client = client;
	np_str_copy(peer->atsign, sizeof(peer->atsign), atsign);
	ev_timer_init(&peer->kick, on_kick, 0., 0.);
	ev_timer_init(&peer->check, on_check, CHECK_S, 0.);
	peer->kick.data = peer->check.data = peer;
	if (!strcmp(atsign, own(client)))
		peer->pub = new_pubkey(np_buf_str(&client->params.keys->enc_public_b64), NULL);
	if (np_map_put(&client->peers, atsign, peer, NULL)) {
		free_peer(peer);
		return NULL;
	}
	return peer;
}

static void free_opened(void *value)
{
	np_secret_fini(value);
	free(value);
}

void at_peers_fini(struct np_at_client *client)
{
	np_map_fini(&client->peers, free_peer);
	np_map_fini(&client->opened, free_opened);
}

static void cancel_waiters(struct at_key_waiter *w, void *arg)
{
	for (; w; w = w->next) {
		if (w->arg == arg) {
			w->on_key = NULL;
			w->on_cipher = NULL;
		}
	}
}

static bool cancel_in_peer(const char *key, void *value, void *arg)
{
	struct at_peer *peer = value;

	(void)key;
	cancel_waiters(peer->pub_waiters, arg);
	cancel_waiters(peer->in_waiters, arg);
	return true;
}

void at_peers_cancel(struct np_at_client *client, void *arg)
{
	np_map_each(&client->peers, cancel_in_peer, arg);
}

static struct at_key_waiter *add_waiter(struct at_key_waiter **list, void *arg)
{
	struct at_key_waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->arg = arg;
	while (*list)
		list = &(*list)->next;
	*list = w;
	return w;
}

/* Everybody who waits now is answered; who asks from inside a callback waits for the next round. */
static void answer_waiters(struct np_at_client *client, struct at_key_waiter **list, const struct np_err *err,
			   const struct at_pubkey *pub, const char *cipher, bool is_fresh)
{
	static const struct np_err none = NP_ERR_INIT;
	struct at_key_waiter *w;
	struct at_guard guard;
	size_t nr = 0;

	for (w = *list; w; w = w->next)
		nr++;
	at_guard_enter(client, &guard);
	for (; nr && *list; nr--) {
		struct at_key_waiter now = **list;

		free(*list);
		*list = now.next;
		if (now.on_key)
			now.on_key(err ? err : &none, err ? NULL : pub->key, err ? NULL : pub->b64, now.arg);
		else if (now.on_cipher)
			now.on_cipher(err ? err : &none, err ? NULL : cipher, is_fresh, now.arg);
		if (guard.gone)
			return;
	}
	at_guard_leave(client, &guard);
}

/* --- public keys --------------------------------------------------------------------------------------------- */

/* Our AES key for the peer is worthless when the peer opens it with another private key by now. */
static void note_pubkey(struct at_peer *peer)
{
	ev_timer_stop(peer->client->params.loop, &peer->check);
	if (peer->share != SHARE_READY || !strcmp(peer->out_cs, peer->pub->md5))
		return;
	np_info("%s: public key has changed, the next message gets a new shared key", peer->atsign);
	peer->share = SHARE_NONE;
	peer->must_rotate = true;
}

static void on_public_key(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct at_peer *peer = arg;
	struct at_pubkey *pub = NULL;
	struct np_err why = *err;

	(void)len;
	peer->pub_loading = false;
	if (!why.code && !strcmp(data, "null"))
		np_fail(&why, -ENOENT, "no such record");
	if (!why.code && peer->pub && !strcmp(peer->pub->b64, data))
		pub = peer->pub;
	else if (!why.code)
		pub = new_pubkey(data, &why);
	if (!pub) {
		np_err_prefix(&why, "public key of %s", peer->atsign);
		answer_waiters(peer->client, &peer->pub_waiters, &why, NULL, NULL, false);
		return;
	}
	if (pub != peer->pub) {
		pub->older = peer->pub;
		peer->pub = pub;
	}
	note_pubkey(peer);
	answer_waiters(peer->client, &peer->pub_waiters, NULL, pub, NULL, false);
}

static int load_pubkey(struct at_peer *peer, bool fresh)
{
	int ret;

	if (peer->pub_loading)
		return 0;
	ret = cmdf(peer->client, on_public_key, peer, "plookup:%spublickey%s", fresh ? "bypassCache:true:" : "",
		   peer->atsign);
	peer->pub_loading = !ret;
	return ret;
}

static void start_kick(struct at_peer *peer)
{
	ev_timer_start(peer->client->params.loop, &peer->kick);
}

static void on_kick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct at_peer *peer = w->data;

	(void)loop;
	(void)revents;
	answer_waiters(peer->client, &peer->pub_waiters, NULL, peer->pub, NULL, false);
}

static void on_check(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	(void)load_pubkey(w->data, false);
}

static int want_pubkey(struct at_peer *peer, bool fresh, np_at_key_cb cb, void *arg)
{
	struct at_key_waiter *w;
	int ret = 0;

	fresh = fresh && strcmp(peer->atsign, own(peer->client));
	if (!peer->pub || fresh)
		ret = load_pubkey(peer, fresh);
	else if (!peer->pub_loading)
		start_kick(peer);
	if (ret)
		return ret;
	w = add_waiter(&peer->pub_waiters, arg);
	if (!w)
		return -ENOMEM;
	w->on_key = cb;
	return 0;
}

int np_at_client_public_key(struct np_at_client *client, const char *atsign, bool fresh, np_at_key_cb cb, void *arg)
{
	struct at_peer *peer = at_client_peer(client, atsign);

	return peer ? want_pubkey(peer, fresh, cb, arg) : -ENOMEM;
}

/* --- AES keys from others ------------------------------------------------------------------------------------ */

int at_key_open(struct np_at_client *client, const char *cipher, const char *cs, const struct np_secret **out,
		struct np_err *err)
{
	const struct np_at_keys *keys = client->params.keys;
	struct np_secret text = NP_SECRET_INIT, *key = np_map_get(&client->opened, cipher);
	char md5[NP_HASH_HEX_MAX];
	int ret;

	*out = key;
	if (key)
		return 0;
	ret = np_hash_hex(NP_HASH_MD5, keys->enc_public_b64.data, keys->enc_public_b64.len, NULL, 0, md5);
	if (ret)
		return np_fail(err, ret, "cannot compute a digest");
	if (cs && strcmp(cs, md5))
		return np_fail(err, -EBADMSG, "encrypted for another public key than that of %s's key file",
			       keys->atsign);
	ret = np_rsa_decrypt_b64(keys->enc, cipher, strlen(cipher), &text, err);
	if (ret)
		return ret;
	key = calloc(1, sizeof(*key));
	ret = key ? np_b64_decode_secret((const char *)text.data, text.len, key) : -ENOMEM;
	np_secret_fini(&text);
	if (!ret && key->len != NP_AES_KEY_LEN)
		ret = -EBADMSG;
	/* Bounded: strangers may send as many ciphertexts as they like. */
	if (!ret && client->opened.nr >= MAX_OPENED)
		np_map_fini(&client->opened, free_opened);
	if (!ret)
		ret = np_map_put(&client->opened, cipher, key, NULL);
	if (ret) {
		if (key)
			free_opened(key);
		return np_fail(err, ret, "encrypted key does not hold an AES-256 key");
	}
	*out = key;
	return 0;
}

static void on_incoming(const struct np_err *err, const char *data, bool is_fresh, struct at_peer *peer)
{
	struct np_err why = *err;

	peer->in_loading = false;
	np_buf_fini(&peer->in_cipher);
	if (!why.code && !strcmp(data, "null"))
		np_fail(&why, -ENOENT, "no such record");
	if (!why.code && np_buf_append_str(&peer->in_cipher, data))
		np_fail(&why, -ENOMEM, "out of memory");
	if (why.code)
		np_err_prefix(&why, "shared key of %s", peer->atsign);
	answer_waiters(peer->client, &peer->in_waiters, why.code ? &why : NULL, NULL, np_buf_str(&peer->in_cipher),
		       is_fresh);
}

static void on_incoming_cached(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)len;
	on_incoming(err, data, false, arg);
}

static void on_incoming_fresh(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)len;
	on_incoming(err, data, true, arg);
}

int at_key_incoming(struct np_at_client *client, const char *from, bool fresh, at_cipher_cb cb, void *arg)
{
	struct at_peer *peer = at_client_peer(client, from);
	struct at_key_waiter *w;
	int ret = 0;

	if (!peer)
		return -ENOMEM;
	if (!peer->in_loading)
		ret = cmdf(client, fresh ? on_incoming_fresh : on_incoming_cached, peer, "lookup:%sshared_key%s",
			   fresh ? "bypassCache:true:" : "", from);
	if (ret)
		return ret;
	peer->in_loading = true;
	w = add_waiter(&peer->in_waiters, arg);
	if (!w)
		return -ENOMEM;
	w->on_cipher = cb;
	return 0;
}

static int open_with(const struct np_secret *key, const struct at_sealed *sealed, struct np_secret *out,
		     struct np_err *err)
{
	uint8_t iv[NP_AES_IV_LEN];

	if (sealed->iv && np_b64_decode(sealed->iv, strlen(sealed->iv), iv, sizeof(iv)) != NP_AES_IV_LEN)
		return np_fail(err, -EBADMSG, "ivNonce is no base64 text of 16 bytes");
	return np_aes_decrypt_b64(key, sealed->iv ? iv : NULL, sealed->value, strlen(sealed->value), out, err);
}

int at_sealed_open(struct np_at_client *client, const struct at_sealed *sealed, const char *cipher,
		   struct np_secret *out, struct np_err *err)
{
	const char *enc = sealed->shared_key_enc ? sealed->shared_key_enc : cipher;
	const struct np_secret *key;
	struct at_peer *peer;
	int ret;

	if (!enc && !strcmp(sealed->from, own(client)))
		return open_with(&client->params.keys->self_key, sealed, out, err);
	if (enc) {
		ret = at_key_open(client, enc, sealed->shared_key_enc ? sealed->pub_key_cs : NULL, &key, err);
		return ret ? ret : open_with(key, sealed, out, err);
	}
	peer = np_map_get(&client->peers, sealed->from);
	if (!peer || !peer->in_cipher.len || at_key_open(client, np_buf_str(&peer->in_cipher), NULL, &key, NULL))
		return -EAGAIN;
	/* A key looked up earlier may have been replaced since. */
	return open_with(key, sealed, out, NULL) ? -EAGAIN : 0;
}

/* --- AES keys to others -------------------------------------------------------------------------------------- */

static void share_done(struct at_peer *peer, const struct np_err *why)
{
	struct np_err err;

	if (!why) {
		peer->share = SHARE_READY;
		peer->must_rotate = false;
		at_ops_share_done(peer, NULL);
		return;
	}
	peer->share = SHARE_NONE;
	err = *why;
	np_err_prefix(&err, "shared key for %s", peer->atsign);
	at_ops_share_done(peer, &err);
}

static void share_failed(struct at_peer *peer, int ret)
{
	struct np_err err = NP_ERR_INIT;

	np_fail_errno(&err, ret, "cannot be made");
	share_done(peer, &err);
}

/* The key text is what RSA encrypts, not the 32 bytes (17.3). */
static int seal_key(const struct np_rsa *for_key, const struct np_secret *aes, struct np_buf *out)
{
	char text[NP_B64_LEN(NP_AES_KEY_LEN) + 1];
	size_t len = np_b64_encode(aes->data, aes->len, text);
	int ret;

	np_buf_fini(out);
	ret = np_rsa_encrypt_b64(for_key, text, len, out);
	np_wipe(text, sizeof(text));
	return ret;
}

static int update_own_copy(struct at_peer *peer, np_at_reply_cb cb)
{
	return cmdf(peer->client, cb, peer, "update:isEncrypted:false:sharedKeyEnc:%s:pubKeyCS:%s:shared_key.%s%s %s",
		    np_buf_str(&peer->out_enc), peer->out_cs, np_atsign_bare(peer->atsign), own(peer->client),
		    np_buf_str(&peer->out_own));
}

static void on_own_updated(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	share_done(arg, err->code ? err : NULL);
}

/* Our own copy comes last: who finds it may rely on the peer's. */
static void on_theirs_updated(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct at_peer *peer = arg;
	int ret;

	(void)data;
	(void)len;
	if (err->code) {
		share_done(peer, err);
		return;
	}
	ret = update_own_copy(peer, on_own_updated);
	if (ret)
		share_failed(peer, ret);
}

static void on_theirs_deleted(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct at_peer *peer = arg;
	int ret;

	(void)data;
	(void)len;
	if (err->code && err->code != -ENOENT) {
		share_done(peer, err);
		return;
	}
	ret = cmdf(peer->client, on_theirs_updated, peer, "update:ttr:%d:isEncrypted:false:%s:shared_key%s %s",
		   SHARED_KEY_TTR_S, peer->atsign, own(peer->client), np_buf_str(&peer->out_enc));
	if (ret)
		share_failed(peer, ret);
}

static int use_pubkey(struct at_peer *peer)
{
	np_str_copy(peer->out_cs, sizeof(peer->out_cs), peer->pub->md5);
	return seal_key(peer->pub->key, &peer->out_key, &peer->out_enc);
}

static int create_share(struct at_peer *peer)
{
	const struct np_at_client *client = peer->client;
	int ret;

	ret = np_secret_alloc(&peer->out_key, NP_AES_KEY_LEN);
	if (!ret)
		ret = np_rand_bytes(peer->out_key.data, peer->out_key.len);
	if (!ret)
		ret = seal_key(client->params.keys->enc, &peer->out_key, &peer->out_own);
	if (!ret)
		ret = use_pubkey(peer);
	return ret ? ret :
		     cmdf(peer->client, on_theirs_deleted, peer, "delete:%s:shared_key%s", peer->atsign, own(client));
}

/* The answer to what share_without_pubkey() asked. */
static void on_pubkey_for_share(const struct np_err *err, const struct np_rsa *key, const char *b64, void *arg)
{
	struct at_peer *peer = arg;
	struct np_at_client *client = peer->client;
	struct at_guard guard;
	int ret;

	(void)key;
	(void)b64;
	if (err->code) {
		share_done(peer, err);
		return;
	}
	if (!peer->is_legacy) {
		ret = create_share(peer);
		if (ret)
			share_failed(peer, ret);
		return;
	}
	ret = use_pubkey(peer);
	if (ret) {
		share_failed(peer, ret);
		return;
	}
	/* Next time one look-up is enough. Who waited is served first, and nobody waits for this. */
	at_guard_enter(client, &guard);
	share_done(peer, NULL);
	if (guard.gone)
		return;
	at_guard_leave(client, &guard);
	(void)update_own_copy(peer, NULL);
}

static int share_without_pubkey(struct at_peer *peer, bool has_key)
{
	peer->is_legacy = has_key;
	return want_pubkey(peer, peer->must_rotate, on_pubkey_for_share, peer);
}

static int take_own_copy(struct at_peer *peer, const struct np_json *record)
{
	const struct np_json *meta = np_json_get(record, "metaData");
	const char *data = np_json_str(record, "data"), *enc = np_json_str(meta, "sharedKeyEnc");
	const char *cs = np_json_str(meta, "pubKeyCS");
	const struct np_secret *key;
	int ret;

	if (!data || !*data || at_key_open(peer->client, data, NULL, &key, NULL))
		return -ENOENT;
	ret = np_secret_dup(&peer->out_key, key);
	np_buf_fini(&peer->out_own);
	np_buf_fini(&peer->out_enc);
	if (!ret)
		ret = np_buf_append_str(&peer->out_own, data);
	if (ret || !enc || !*enc || !np_str_is_charset(enc, "+/=") || !cs || strlen(cs) != MD5_HEX_SIZE - 1)
		return ret ? ret : -ENODATA;
	np_str_copy(peer->out_cs, sizeof(peer->out_cs), cs);
	return np_buf_append_str(&peer->out_enc, enc);
}

static void on_own_copy(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct at_peer *peer = arg;
	struct np_json *record = NULL;
	int ret;

	if (err->code && err->code != -ENOENT) {
		share_done(peer, err);
		return;
	}
	if (!err->code)
		record = np_json_parse(data, len, "shared key", NULL);
	ret = record ? take_own_copy(peer, record) : -ENOENT;
	np_json_put(record);
	if (!ret && peer->pub && strcmp(peer->pub->md5, peer->out_cs)) {
		peer->must_rotate = true;
		ret = -ENOENT;
	}
	if (!ret) {
		if (!peer->pub) {
			ev_timer_set(&peer->check, CHECK_S, 0.);
			ev_timer_start(peer->client->params.loop, &peer->check);
		}
		share_done(peer, NULL);
		return;
	}
	if (ret == -ENOENT || ret == -ENODATA)
		ret = share_without_pubkey(peer, ret == -ENODATA);
	if (ret)
		share_failed(peer, ret);
}

int at_share_start(struct at_peer *peer)
{
	int ret;

	if (peer->share == SHARE_LOADING)
		return 0;
	if (peer->must_rotate)
		ret = share_without_pubkey(peer, false);
	else
		ret = cmdf(peer->client, on_own_copy, peer, "llookup:all:shared_key.%s%s", np_atsign_bare(peer->atsign),
			   own(peer->client));
	if (!ret)
		peer->share = SHARE_LOADING;
	return ret;
}

int np_at_client_warm(struct np_at_client *client, const char *to)
{
	struct at_peer *peer;

	if (!strcmp(to, own(client)))
		return 0;
	peer = at_client_peer(client, to);
	if (!peer)
		return -ENOMEM;
	return peer->share == SHARE_NONE ? at_share_start(peer) : 0;
}
