// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/meta.h"

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum type { NUM, BOOL, TEXT };

/* ttl and ttb beyond a thousand years are a mistake, and keep sums of times far from overflow. */
#define MAX_MS 31557600000000ll

static const struct {
	const char *name;
	enum type type;
	int64_t min;
	bool wire;
} fields[NP_META_NR] = {
	[NP_META_CREATED_BY] = {"createdBy", TEXT, 0, false},
	[NP_META_UPDATED_BY] = {"updatedBy", TEXT, 0, false},
	[NP_META_TTL] = {"ttl", NUM, 0, true},
	[NP_META_TTB] = {"ttb", NUM, 0, true},
	[NP_META_TTR] = {"ttr", NUM, -1, true},
	[NP_META_CCD] = {"ccd", BOOL, 0, true},
	[NP_META_IS_BINARY] = {"isBinary", BOOL, 0, true},
	[NP_META_IS_ENCRYPTED] = {"isEncrypted", BOOL, 0, true},
	[NP_META_DATA_SIGNATURE] = {"dataSignature", TEXT, 0, true},
	[NP_META_SHARED_KEY_STATUS] = {"sharedKeyStatus", TEXT, 0, true},
	[NP_META_SHARED_KEY_ENC] = {"sharedKeyEnc", TEXT, 0, true},
	[NP_META_PUB_KEY_CS] = {"pubKeyCS", TEXT, 0, true},
	[NP_META_HASH] = {"hash", TEXT, 0, true},
	[NP_META_ALGO] = {"algo", TEXT, 0, true},
	[NP_META_ENCODING] = {"encoding", TEXT, 0, true},
	[NP_META_ENC_KEY_NAME] = {"encKeyName", TEXT, 0, true},
	[NP_META_ENC_ALGO] = {"encAlgo", TEXT, 0, true},
	[NP_META_IV_NONCE] = {"ivNonce", TEXT, 0, true},
	[NP_META_SKE_ENC_KEY_NAME] = {"skeEncKeyName", TEXT, 0, true},
	[NP_META_SKE_ENC_ALGO] = {"skeEncAlgo", TEXT, 0, true},
};

static int parse_num(const char *value, int64_t min, int64_t *num)
{
	uint64_t u;
	bool minus = value[0] == '-';

	if (np_str_u64(value + minus, 0, MAX_MS, &u))
		return -EINVAL;
	*num = minus ? -(int64_t)u : (int64_t)u;
	return *num < min ? -EINVAL : 0;
}

static int parse_bool(const char *value, int64_t *num)
{
	if (!strcasecmp(value, "true"))
		*num = 1;
	else if (!strcasecmp(value, "false"))
		*num = 0;
	else
		return -EINVAL;
	return 0;
}

/* What is forwarded in a command must not be able to end its field or its line. */
static bool is_clean(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == ':' || *text == 0x7f)
			return false;
	return true;
}

int np_meta_set_pair(struct np_meta *meta, const char *name, const char *value)
{
	int64_t num = 0;
	int id;

	for (id = 0; id < NP_META_NR; id++)
		if (fields[id].wire && !strcmp(name, fields[id].name))
			break;
	if (id == NP_META_NR)
		return 0;
	if (!strcmp(value, "null")) {
		meta->state[id] = NP_META_CLEARED;
		return 1;
	}
	if (fields[id].type == TEXT) {
		if (!is_clean(value))
			return -EINVAL;
		np_meta_put_text(meta, id, value);
		return 1;
	}
	if (fields[id].type == NUM ? parse_num(value, fields[id].min, &num)
				   : parse_bool(value, &num))
		return -EINVAL;
	np_meta_put_num(meta, id, num);
	return 1;
}

/* Peers write numbers and booleans as JSON values, in some replies as text. */
static void read_member(struct np_meta *meta, enum np_meta_id id, const struct np_json *json)
{
	const char *text = np_json_str(json, fields[id].name);
	int64_t num;

	if (np_json_is_null(np_json_get(json, fields[id].name)))
		return;
	if (text) {
		if (!strcmp(text, "null"))
			return;
		if (fields[id].type == TEXT && is_clean(text))
			np_meta_put_text(meta, id, text);
		else if (fields[id].type != TEXT)
			np_meta_set_pair(meta, fields[id].name, text);
		return;
	}
	if (fields[id].type == TEXT)
		return;
	if (fields[id].type == BOOL)
		num = np_json_bool(json, fields[id].name, false);
	else
		num = np_json_int(json, fields[id].name, 0);
	if (num >= fields[id].min && num <= MAX_MS)
		np_meta_put_num(meta, id, num);
}

void np_meta_from_json(struct np_meta *meta, const struct np_json *json)
{
	const struct np_json *hash = np_json_get(json, "pubKeyHash");
	int id;

	memset(meta, 0, sizeof(*meta));
	for (id = 0; id < NP_META_NR; id++)
		if (id != NP_META_HASH && id != NP_META_ALGO && id != NP_META_SHARED_KEY_STATUS)
			read_member(meta, id, json);
	if (!np_json_is_object(hash))
		return;
	read_member(meta, NP_META_HASH, hash);
	read_member(meta, NP_META_ALGO, hash);
}

void np_meta_merge(struct np_meta *meta, const struct np_meta *patch)
{
	int id;

	for (id = 0; id < NP_META_NR; id++) {
		if (patch->state[id] == NP_META_ABSENT || id == NP_META_SHARED_KEY_STATUS)
			continue;
		meta->state[id] = patch->state[id] == NP_META_SET ? NP_META_SET : NP_META_ABSENT;
		meta->val[id] = patch->val[id];
	}
}

static int hash_to_json(const struct np_meta *meta, struct np_json *json)
{
	struct np_json *hash;
	int ret;

	if (!np_meta_has(meta, NP_META_HASH))
		return 0;
	hash = np_json_obj();
	if (!hash)
		return -ENOMEM;
	ret = np_json_set_str(hash, "hash", meta->val[NP_META_HASH].text);
	if (!ret && np_meta_has(meta, NP_META_ALGO))
		ret = np_json_set_str(hash, "algo", meta->val[NP_META_ALGO].text);
	if (ret) {
		np_json_put(hash);
		return ret;
	}
	return np_json_set(json, "pubKeyHash", hash);
}

int np_meta_to_json(const struct np_meta *meta, struct np_json *json)
{
	int id, ret = 0;

	for (id = 0; id < NP_META_NR && !ret; id++) {
		if (!np_meta_has(meta, id) || id == NP_META_ALGO || id == NP_META_SHARED_KEY_STATUS)
			continue;
		if (id == NP_META_HASH)
			ret = hash_to_json(meta, json);
		else if (fields[id].type == TEXT)
			ret = np_json_set_str(json, fields[id].name, meta->val[id].text);
		else if (fields[id].type == BOOL)
			ret = np_json_set_bool(json, fields[id].name, meta->val[id].num);
		else
			ret = np_json_set_int(json, fields[id].name, meta->val[id].num);
	}
	return ret;
}

int np_meta_put_pairs(const struct np_meta *meta, const enum np_meta_id *ids, struct np_buf *buf)
{
	int ret = 0;

	for (; *ids != NP_META_NR && !ret; ids++) {
		if (!np_meta_has(meta, *ids))
			continue;
		if (fields[*ids].type == TEXT)
			ret = np_buf_printf(buf, ":%s:%s", fields[*ids].name, meta->val[*ids].text);
		else if (fields[*ids].type == BOOL)
			ret = np_buf_printf(buf, ":%s:%s", fields[*ids].name,
					    meta->val[*ids].num ? "true" : "false");
		else
			ret = np_buf_printf(buf, ":%s:%lld", fields[*ids].name,
					    (long long)meta->val[*ids].num);
	}
	return ret;
}

int64_t np_meta_num(const struct np_meta *meta, enum np_meta_id id, int64_t dflt)
{
	return np_meta_has(meta, id) ? meta->val[id].num : dflt;
}

const char *np_meta_text(const struct np_meta *meta, enum np_meta_id id)
{
	return np_meta_has(meta, id) ? meta->val[id].text : NULL;
}

void np_meta_put_num(struct np_meta *meta, enum np_meta_id id, int64_t num)
{
	meta->state[id] = NP_META_SET;
	meta->val[id].num = num;
}

void np_meta_put_text(struct np_meta *meta, enum np_meta_id id, const char *text)
{
	meta->state[id] = NP_META_SET;
	meta->val[id].text = text;
}
