// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/meta.h"

#include "base/buf.h"
#include "harness/ktap.h"
#include "json/json.h"

#include <errno.h>

static struct np_buf text;

static const char *as_json(const struct np_meta *meta)
{
	struct np_json *json = np_json_obj();

	np_buf_fini(&text);
	np_meta_to_json(meta, json);
	np_json_write(json, &text);
	np_json_put(json);
	return np_buf_str(&text);
}

static void any_order(void)
{
	struct np_meta meta = {0};

	KTAP_EQ(np_meta_set_pair(&meta, "isEncrypted", "TRUE"), 1);
	KTAP_EQ(np_meta_set_pair(&meta, "ttl", "60000"), 1);
	KTAP_EQ(np_meta_set_pair(&meta, "algo", "sha256"), 1);
	KTAP_EQ(np_meta_set_pair(&meta, "hash", "ff52"), 1);
	KTAP_EQ(np_meta_set_pair(&meta, "ccd", "True"), 1);
	KTAP_EQ(np_meta_set_pair(&meta, "ttr", "-1"), 1);
	KTAP_EQ(np_meta_set_pair(&meta, "sharedKeyStatus", "localUpdated"), 1);
	KTAP_EQ(np_meta_set_pair(&meta, "immutable", "true"), 0);
	KTAP_STREQ(as_json(&meta), "{\"ttl\":60000,\"ttr\":-1,\"ccd\":true,\"isEncrypted\":true,"
				   "\"pubKeyHash\":{\"hash\":"
				   "\"ff52\",\"algo\":\"sha256\"}}");
}

static void bad_values(void)
{
	static const char *const bad[][2] = {
		{"ttl", "-1"},
		{"ttl", ""},
		{"ttl", "x"},
		{"ttl", "1.5"},
		{"ttl", "99999999999999999999"},
		{"ttb", "-5"},
		{"ttr", "-2"},
		{"ttr", "--1"},
		{"ccd", "1"},
		{"isEncrypted", "yes"},
		{"encoding", ""},
		{"ivNonce", "a b"},
		{"ivNonce", "a\nb"},
		{"ivNonce", "a:b"},
	};
	struct np_meta meta = {0};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		KTAP_EQ(np_meta_set_pair(&meta, bad[i][0], bad[i][1]), -EINVAL);
	KTAP_STREQ(as_json(&meta), "{}");
}

static void merging(void)
{
	static const char stored[] = "{\"ttl\":5,\"encoding\":\"base64\",\"ivNonce\":\"AA==\"}";
	struct np_json *json = np_json_parse(stored, sizeof(stored) - 1, "test", NULL);
	struct np_meta meta, patch = {0};

	np_meta_from_json(&meta, json);
	np_meta_set_pair(&patch, "encoding", "null");
	np_meta_set_pair(&patch, "ttb", "7");
	np_meta_merge(&meta, &patch);
	KTAP_STREQ(as_json(&meta), "{\"ttl\":5,\"ttb\":7,\"ivNonce\":\"AA==\"}");
	np_json_put(json);
}

/* Peers write numbers as text in some replies, and "null"; what could break a command line is not
 * taken. */
static void from_other_servers(void)
{
	static const char reply[] =
		"{\"ttl\":\"86400000\",\"isEncrypted\":\"true\",\"ccd\":null,\"encoding\":\"null\","
		"\"ttr\":-1,\"sharedKeyEnc\":\"a:b\",\"ivNonce\":\"x\\ny\",\"version\":3,"
		"\"pubKeyHash\":"
		"{\"hash\":\"ab\",\"algo\":\"sha512\"},\"createdBy\":\"@bob\"}";
	struct np_json *json = np_json_parse(reply, sizeof(reply) - 1, "test", NULL);
	static const enum np_meta_id ids[] = {NP_META_TTR, NP_META_IS_ENCRYPTED, NP_META_IV_NONCE,
					      NP_META_NR};
	struct np_buf pairs = NP_BUF_INIT;
	struct np_meta meta;

	np_meta_from_json(&meta, json);
	KTAP_STREQ(as_json(&meta), "{\"createdBy\":\"@bob\",\"ttl\":86400000,\"ttr\":-1,"
				   "\"isEncrypted\":true,\"pubKeyHash\":{"
				   "\"hash\":\"ab\",\"algo\":\"sha512\"}}");
	KTAP_EQ(np_meta_num(&meta, NP_META_CCD, 7), 7);
	KTAP_OK(!np_meta_text(&meta, NP_META_ENCODING));
	np_meta_put_pairs(&meta, ids, &pairs);
	KTAP_STREQ(np_buf_str(&pairs), ":ttr:-1:isEncrypted:true");
	np_buf_fini(&pairs);
	np_json_put(json);
}

int main(void)
{
	KTAP_RUN(any_order);
	KTAP_RUN(bad_values);
	KTAP_RUN(merging);
	KTAP_RUN(from_other_servers);
	np_buf_fini(&text);
	return ktap_done();
}
