// SPDX-License-Identifier: BSD-3-Clause
/*
 * What is known about other atSigns: their public keys, and the AES keys from them to us
 * (atprotocol.md 17.4).
 */
#include "at/client_impl.h"

#include "base/clock.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rsa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PEERS 4096 /* strangers may write to us: what is kept about them must end somewhere */
#define MAX_OPENED 64

/* --- peers ------------------------------------------------------------------------------------ */

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

static void free_pubkey(struct at_pubkey *pub)
{
	if (!pub)
		return;
	np_rsa_free(pub->key);
	free(pub);
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

	free_pubkey(peer->pub);
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

void at_peer_touch(struct at_peer *peer)
{
	peer->used_ms = np_clock_mono_ms();
}

static bool is_idle(const struct at_peer *peer)
{
	return !peer->pub_loading && !peer->in_loading && peer->share != SHARE_LOADING &&
	       !peer->pub_waiters && !peer->in_waiters && !ev_is_active(&peer->kick) &&
	       !ev_is_active(&peer->check);
}

static bool pick_oldest(const char *key, void *value, void *arg)
{
	struct at_peer *peer = value, **oldest = arg;

	(void)key;
	if (is_idle(peer) && (!*oldest || peer->used_ms < (*oldest)->used_ms))
		*oldest = peer;
	return true;
}

/*
 * Whoever holds a peer in a local variable has used it within the time-out of a command, so what
 * was not used for twice as long is nobody's.
 */
static bool make_room(struct np_at_client *client)
{
	unsigned int max = client->params.max_peers ? client->params.max_peers : MAX_PEERS;
	struct at_peer *oldest = NULL;

	if (client->peers.nr < max)
		return true;
	np_map_each(&client->peers, pick_oldest, &oldest);
	if (!oldest || np_clock_mono_ms() - oldest->used_ms < 2LL * client->params.timeout_ms)
		return false;
	np_map_remove(&client->peers, oldest->atsign);
	free_peer(oldest);
	return true;
}

struct at_peer *at_client_peer(struct np_at_client *client, const char *atsign)
{
	struct at_peer *peer = np_map_get(&client->peers, atsign);

	if (peer) {
		at_peer_touch(peer);
		return peer;
	}
	if (strlen(atsign) >= NP_ATSIGN_MAX || !make_room(client))
		return NULL;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->client = client;
	at_peer_touch(peer);
	np_str_copy(peer->atsign, sizeof(peer->atsign), atsign);
	ev_timer_init(&peer->kick, on_kick, 0., 0.);
	ev_timer_init(&peer->check, on_check, 0., 0.);
	peer->kick.data = peer->check.data = peer;
	if (!strcmp(atsign, at_client_own(client)))
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
static void answer_waiters(struct np_at_client *client, struct at_key_waiter **list,
			   const struct np_err *err, const struct at_pubkey *pub,
			   const char *cipher, bool is_fresh)
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
			now.on_key(err ? err : &none, err ? NULL : pub->key, err ? NULL : pub->b64,
				   now.arg);
		else if (now.on_cipher)
			now.on_cipher(err ? err : &none, err ? NULL : cipher, is_fresh, now.arg);
		if (guard.gone)
			return;
	}
	at_guard_leave(client, &guard);
}

/* --- public keys ------------------------------------------------------------------------------ */

static void on_public_key(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct at_peer *peer = arg;
	struct at_pubkey *pub = NULL;
	struct np_err why = *err;

	(void)len;
	at_peer_touch(peer);
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
		free_pubkey(peer->pub);
		peer->pub = pub;
	}
	at_share_note_key(peer);
	answer_waiters(peer->client, &peer->pub_waiters, NULL, pub, NULL, false);
}

static int load_pubkey(struct at_peer *peer, bool fresh)
{
	int ret;

	if (peer->pub_loading)
		return 0;
	at_peer_touch(peer);
	ret = at_client_commandf(peer->client, on_public_key, peer, "plookup:%spublickey%s",
				 fresh ? "bypassCache:true:" : "", peer->atsign);
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
	at_peer_touch(peer);
	answer_waiters(peer->client, &peer->pub_waiters, NULL, peer->pub, NULL, false);
}

static void on_check(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	(void)load_pubkey(w->data, false);
}

int at_peer_want_key(struct at_peer *peer, bool fresh, np_at_key_cb cb, void *arg)
{
	struct at_key_waiter *w;
	int ret = 0;

	fresh = fresh && strcmp(peer->atsign, at_client_own(peer->client));
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

int np_at_client_public_key(struct np_at_client *client, const char *atsign, bool fresh,
			    np_at_key_cb cb, void *arg)
{
	struct at_peer *peer = at_client_peer(client, atsign);

	return peer ? at_peer_want_key(peer, fresh, cb, arg) : -ENOMEM;
}

/* --- AES keys from others --------------------------------------------------------------------- */

int at_key_open(struct np_at_client *client, const char *cipher, const char *cs,
		const struct np_secret **out, struct np_err *err)
{
	const struct np_at_keys *keys = client->params.keys;
	struct np_secret text = NP_SECRET_INIT, *key = np_map_get(&client->opened, cipher);
	char md5[NP_HASH_HEX_MAX];
	int ret;

	*out = key;
	if (key)
		return 0;
	ret = np_hash_hex(NP_HASH_MD5, keys->enc_public_b64.data, keys->enc_public_b64.len, NULL, 0,
			  md5);
	if (ret)
		return np_fail(err, ret, "cannot compute a digest");
	if (cs && strcmp(cs, md5))
		return np_fail(err, -EBADMSG,
			       "encrypted for another public key than that of %s's key file",
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

static void on_incoming(const struct np_err *err, const char *data, bool is_fresh,
			struct at_peer *peer)
{
	struct np_err why = *err;

	at_peer_touch(peer);
	peer->in_loading = false;
	np_buf_fini(&peer->in_cipher);
	if (!why.code && !strcmp(data, "null"))
		np_fail(&why, -ENOENT, "no such record");
	if (!why.code && np_buf_append_str(&peer->in_cipher, data))
		np_fail(&why, -ENOMEM, "out of memory");
	if (why.code)
		np_err_prefix(&why, "shared key of %s", peer->atsign);
	answer_waiters(peer->client, &peer->in_waiters, why.code ? &why : NULL, NULL,
		       np_buf_str(&peer->in_cipher), is_fresh);
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

int at_key_incoming(struct np_at_client *client, const char *from, bool fresh, at_cipher_cb cb,
		    void *arg)
{
	struct at_peer *peer = at_client_peer(client, from);
	struct at_key_waiter *w;
	int ret = 0;

	if (!peer)
		return -ENOMEM;
	if (!peer->in_loading)
		ret = at_client_commandf(client, fresh ? on_incoming_fresh : on_incoming_cached,
					 peer, "lookup:%sshared_key%s",
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

static int open_with(const struct np_secret *key, const struct at_sealed *sealed,
		     struct np_secret *out, struct np_err *err)
{
	uint8_t iv[NP_AES_IV_LEN];

	if (sealed->iv &&
	    np_b64_decode(sealed->iv, strlen(sealed->iv), iv, sizeof(iv)) != NP_AES_IV_LEN)
		return np_fail(err, -EBADMSG, "ivNonce is no base64 text of 16 bytes");
	return np_aes_decrypt_b64(key, sealed->iv ? iv : NULL, sealed->value, strlen(sealed->value),
				  out, err);
}

int at_sealed_open(struct np_at_client *client, const struct at_sealed *sealed, const char *cipher,
		   struct np_secret *out, struct np_err *err)
{
	const char *enc = sealed->shared_key_enc ? sealed->shared_key_enc : cipher;
	const struct np_secret *key;
	struct at_peer *peer;
	int ret;

	if (!enc && !strcmp(sealed->from, at_client_own(client)))
		return open_with(&client->params.keys->self_key, sealed, out, err);
	if (enc) {
		ret = at_key_open(client, enc, sealed->shared_key_enc ? sealed->pub_key_cs : NULL,
				  &key, err);
		return ret ? ret : open_with(key, sealed, out, err);
	}
	peer = np_map_get(&client->peers, sealed->from);
	if (!peer || !peer->in_cipher.len ||
	    at_key_open(client, np_buf_str(&peer->in_cipher), NULL, &key, NULL))
		return -EAGAIN;
	/* A key looked up earlier may have been replaced since. */
	return open_with(key, sealed, out, NULL) ? -EAGAIN : 0;
}
