// SPDX-License-Identifier: BSD-3-Clause
#include "noports/mux_ctl.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"

#include <errno.h>
#include <string.h>

#define CONNECT "connect:"
#define CLEAR "connect:no:encrypt"
#define HEARTBEAT "heartbeat:"
#define KEY_TEXT 44
#define IV_TEXT 24
#define SINGLE_LEN 77 /* connect:<aes64>:<iv64> without LF */
#define CLEAR_LEN (sizeof(CLEAR) - 1)

void np_mux_ctl_fini(struct np_mux_ctl *msg)
{
	np_session_keys_fini(&msg->keys);
	memset(msg, 0, sizeof(*msg));
}

void np_mux_reader_fini(struct np_mux_reader *reader)
{
	np_wipe(reader, sizeof(*reader));
}

size_t np_mux_reader_room(const struct np_mux_reader *reader)
{
	return NP_MUX_CTL_MAX - reader->len;
}

int np_mux_reader_put(struct np_mux_reader *reader, const void *data, size_t len)
{
	if (len > np_mux_reader_room(reader))
		return -EMSGSIZE;
	memcpy(reader->text + reader->len, data, len);
	reader->len += len;
	return 0;
}

static void drop(struct np_mux_reader *reader, size_t len)
{
	memmove(reader->text, reader->text + len, reader->len - len);
	np_wipe(reader->text + reader->len - len, len);
	reader->len -= len;
}

/* ---- one message ---- */

static int take_field(const char **at, const char *end, size_t want_text, size_t want,
		      struct np_secret *out)
{
	const char *colon = memchr(*at, ':', (size_t)(end - *at)), *stop = colon ? colon : end;

	if ((size_t)(stop - *at) != want_text || np_b64_decode_secret(*at, want_text, out) ||
	    out->len != want)
		return -EPROTO;
	*at = colon ? colon + 1 : NULL;
	return 0;
}

static int take_pair(const char **at, const char *end, struct np_secret *key, struct np_secret *iv)
{
	if (!*at || take_field(at, end, KEY_TEXT, NP_AES_KEY_LEN, key) || !*at)
		return -EPROTO;
	return take_field(at, end, IV_TEXT, NP_AES_IV_LEN, iv);
}

static int parse_keys(const char *at, const char *end, struct np_session_keys *keys)
{
	int ret = take_pair(&at, end, &keys->key_c2d, &keys->iv_c2d);

	if (ret)
		return ret;
	if (!at) {
		ret = np_secret_dup(&keys->key_d2c, &keys->key_c2d);
		return ret ? ret : np_secret_dup(&keys->iv_d2c, &keys->iv_c2d);
	}
	keys->twin = true;
	ret = take_pair(&at, end, &keys->key_d2c, &keys->iv_d2c);
	return ret || !at ? ret : -EPROTO;
}

static bool is_text(const char *text, size_t len, const char *want)
{
	return len == strlen(want) && !memcmp(text, want, len);
}

static bool has_prefix(const char *text, size_t len, const char *want)
{
	return len >= strlen(want) && !memcmp(text, want, strlen(want));
}

/* The message's keys are not part of any error text. */
static int parse(const char *text, size_t len, struct np_mux_ctl *msg, struct np_err *err)
{
	char number[24];
	int ret = 0;

	memset(msg, 0, sizeof(*msg));
	msg->type = NP_MUX_UNKNOWN;
	if (is_text(text, len, CLEAR)) {
		msg->type = NP_MUX_CLEAR;
	} else if (has_prefix(text, len, CONNECT)) {
		msg->type = NP_MUX_CONNECT;
		ret = parse_keys(text + strlen(CONNECT), text + len, &msg->keys);
	} else if (has_prefix(text, len, HEARTBEAT) &&
		   !np_str_copy_n(number, sizeof(number), text + strlen(HEARTBEAT),
				  len - strlen(HEARTBEAT)) &&
		   !np_str_u64(number, 0, UINT64_MAX, &msg->heartbeat)) {
		msg->type = NP_MUX_HEARTBEAT;
	}
	if (!ret)
		return 1;
	np_mux_ctl_fini(msg);
	return np_fail(err, ret,
		       "control socket: a connect message of %zu bytes holds no key and IV of the "
		       "right size",
		       len);
}

/* ---- where it ends ---- */

/* Length of a complete message without LF, as the oldest peers send them; 0 when there is none. */
static size_t unterminated(const struct np_mux_reader *r)
{
	if (r->twin || r->seen_lf)
		return 0;
	if (has_prefix(r->text, r->len, CLEAR))
		return CLEAR_LEN;
	return has_prefix(r->text, r->len, CONNECT) && r->len >= SINGLE_LEN ? SINGLE_LEN : 0;
}

static size_t without_cr(const char *text, size_t len)
{
	return len && text[len - 1] == '\r' ? len - 1 : len;
}

int np_mux_reader_next(struct np_mux_reader *r, struct np_mux_ctl *msg, struct np_err *err)
{
	size_t len, skip, bare;
	const char *lf;
	int ret;

	for (;;) {
		bare = unterminated(r);
		lf = memchr(r->text, '\n', r->len);
		len = lf ? (size_t)(lf - r->text) : bare;
		if (!lf && !len)
			return r->len < NP_MUX_CTL_MAX
				       ? 0
				       : np_fail(err, -EMSGSIZE,
						 "control socket: a message longer than %d bytes",
						 NP_MUX_CTL_MAX);
		/* An LF behind messages without one only ends the last of them. */
		if (lf && bare && len > bare && r->text[bare] == 'c') {
			len = bare;
			lf = NULL;
		}
		skip = lf ? len + 1 : len;
		r->seen_lf |= lf != NULL;
		if (without_cr(r->text, len))
			break;
		drop(r, skip);
	}
	ret = parse(r->text, without_cr(r->text, len), msg, err);
	drop(r, skip);
	return ret;
}

/* ---- writer ---- */

static int put_b64(const struct np_secret *raw, const char *before, struct np_buf *out)
{
	char text[NP_B64_LEN(NP_AES_KEY_LEN) + 1];
	size_t len;
	int ret;

	if (raw->len > NP_AES_KEY_LEN)
		return -EINVAL;
	len = np_b64_encode(raw->data, raw->len, text);
	ret = np_buf_append_str(out, before);
	if (!ret)
		ret = np_buf_append(out, text, len);
	np_wipe(text, sizeof(text));
	return ret;
}

static int put_keys(const struct np_session_keys *k, struct np_buf *out)
{
	int ret;

	if ((ret = put_b64(&k->key_c2d, CONNECT, out)) || (ret = put_b64(&k->iv_c2d, ":", out)))
		return ret;
	if (k->twin &&
	    ((ret = put_b64(&k->key_d2c, ":", out)) || (ret = put_b64(&k->iv_d2c, ":", out))))
		return ret;
	return np_buf_append_str(out, "\n");
}

int np_mux_ctl_write(const struct np_mux_ctl *msg, struct np_buf *out)
{
	switch (msg->type) {
	case NP_MUX_CONNECT:
		return put_keys(&msg->keys, out);
	case NP_MUX_CLEAR:
		return np_buf_append_str(out, CLEAR "\n");
	case NP_MUX_HEARTBEAT:
		return np_buf_printf(out, HEARTBEAT "%llu\n", (unsigned long long)msg->heartbeat);
	default:
		return -EINVAL;
	}
}
