// SPDX-License-Identifier: BSD-3-Clause
/*
 * The AES keys from us to others (atprotocol.md 17.4).
 *
 *	SHARE_NONE -(llookup:all:shared_key.bob@alice)-> LOADING
 *	LOADING: found, with sharedKeyEnc and pubKeyCS    -> READY (1 round trip)
 *	         found, of another library -> plookup     -> READY
 *	         absent -> plookup, delete, 2 updates     -> READY
 *
 * Our own record carries what goes into every notification (sharedKeyEnc, pubKeyCS) as its
 * metadata, which saves asking for the peer's public key before the first one. That is checked a
 * little later, off the critical path; when the peer's key has changed, the next operation makes a
 * new AES key.
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
#include <string.h>

#define SHARED_KEY_TTR_S 3888000
#define CHECK_S 2.

/* Our AES key for the peer is worthless when the peer opens it with another private key by now. */
void at_share_note_key(struct at_peer *peer)
{
	ev_timer_stop(peer->client->params.loop, &peer->check);
	if (peer->share != SHARE_READY || !strcmp(peer->out_cs, peer->pub->md5))
		return;
	np_info("%s: public key has changed, the next message gets a new shared key", peer->atsign);
	peer->share = SHARE_NONE;
	peer->must_rotate = true;
}

static void share_done(struct at_peer *peer, const struct np_err *why)
{
	struct np_err err;

	at_peer_touch(peer);
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

/*
 * An update without metadata keeps the old one (7.2). So that the metadata of a key that another
 * library has replaced is not taken for that of the new one, it names the value that it belongs to.
 */
static int name_value(const char *value, char md5[NP_HASH_HEX_MAX])
{
	return np_hash_hex(NP_HASH_MD5, value, strlen(value), NULL, 0, md5);
}

static int update_own_copy(struct at_peer *peer, np_at_reply_cb cb)
{
	char md5[NP_HASH_HEX_MAX];
	int ret = name_value(np_buf_str(&peer->out_own), md5);

	if (ret)
		return ret;
	return at_client_commandf(peer->client, cb, peer,
				  "update:isEncrypted:false:sharedKeyEnc:%s:pubKeyCS:%s"
				  ":skeEncKeyName:%s:shared_key.%s%s %s",
				  np_buf_str(&peer->out_enc), peer->out_cs, md5,
				  np_atsign_bare(peer->atsign), at_client_own(peer->client),
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
	ret = at_client_commandf(peer->client, on_theirs_updated, peer,
				 "update:ttr:%d:isEncrypted:false:%s:shared_key%s %s",
				 SHARED_KEY_TTR_S, peer->atsign, at_client_own(peer->client),
				 np_buf_str(&peer->out_enc));
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
	return ret ? ret
		   : at_client_commandf(peer->client, on_theirs_deleted, peer,
					"delete:%s:shared_key%s", peer->atsign,
					at_client_own(client));
}

/* The answer to what share_without_pubkey() asked. */
static void on_pubkey_for_share(const struct np_err *err, const struct np_rsa *key, const char *b64,
				void *arg)
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
	/*
	 * Next time one look-up is enough. Who waited is served first, and nobody waits for this.
	 */
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
	return at_peer_want_key(peer, peer->must_rotate, on_pubkey_for_share, peer);
}

static int take_own_copy(struct at_peer *peer, const struct np_json *record)
{
	const struct np_json *meta = np_json_get(record, "metaData");
	const char *data = np_json_str(record, "data"), *enc = np_json_str(meta, "sharedKeyEnc");
	const char *cs = np_json_str(meta, "pubKeyCS"), *of = np_json_str(meta, "skeEncKeyName");
	const struct np_secret *key;
	char md5[NP_HASH_HEX_MAX];
	int ret;

	if (!data || !*data || at_key_open(peer->client, data, NULL, &key, NULL))
		return -ENOENT;
	ret = np_secret_dup(&peer->out_key, key);
	np_buf_fini(&peer->out_own);
	np_buf_fini(&peer->out_enc);
	if (!ret)
		ret = np_buf_append_str(&peer->out_own, data);
	if (!ret)
		ret = name_value(data, md5);
	if (ret)
		return ret;
	if (!enc || !*enc || !np_str_is_charset(enc, "+/=") || !cs || !of || strcmp(of, md5) ||
	    strlen(cs) != MD5_HEX_SIZE - 1)
		return -ENODATA;
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
		ret = at_client_commandf(peer->client, on_own_copy, peer,
					 "llookup:all:shared_key.%s%s",
					 np_atsign_bare(peer->atsign), at_client_own(peer->client));
	if (!ret)
		peer->share = SHARE_LOADING;
	return ret;
}

int np_at_client_warm(struct np_at_client *client, const char *to)
{
	struct at_peer *peer;

	if (!strcmp(to, at_client_own(client)))
		return 0;
	peer = at_client_peer(client, to);
	if (!peer)
		return -ENOMEM;
	return peer->share == SHARE_NONE ? at_share_start(peer) : 0;
}
