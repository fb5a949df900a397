/* SPDX-License-Identifier: BSD-3-Clause */
/* Metadata of records and notifications: the verb fragment in any order, and its JSON form
 * (atprotocol.md 7). */
#ifndef NP_ATSERVER_META_H
#define NP_ATSERVER_META_H

#include <stdbool.h>
#include <stdint.h>

struct np_buf;
struct np_json;

/* In the order in which JSON replies carry them. */
enum np_meta_id {
	NP_META_CREATED_BY, /* JSON only, like the next */
	NP_META_UPDATED_BY,
	NP_META_TTL,
	NP_META_TTB,
	NP_META_TTR,
	NP_META_CCD,
	NP_META_IS_BINARY,
	NP_META_IS_ENCRYPTED,
	NP_META_DATA_SIGNATURE,
	NP_META_SHARED_KEY_STATUS, /* accepted, never stored */
	NP_META_SHARED_KEY_ENC,
	NP_META_PUB_KEY_CS,
	NP_META_HASH, /* both are members of pubKeyHash in JSON */
	NP_META_ALGO,
	NP_META_ENCODING,
	NP_META_ENC_KEY_NAME,
	NP_META_ENC_ALGO,
	NP_META_IV_NONCE,
	NP_META_SKE_ENC_KEY_NAME,
	NP_META_SKE_ENC_ALGO,
	NP_META_NR,
};

enum np_meta_state {
	NP_META_ABSENT,
	NP_META_CLEARED, /* the literal null: takes a stored value away */
	NP_META_SET,
};

/* All texts are borrowed from the line or the JSON value that was read. Zero-initialise. */
struct np_meta {
	uint8_t state[NP_META_NR];
	union {
		int64_t num; /* numbers; booleans as 0 and 1 */
		const char *text;
	} val[NP_META_NR];
};

/**
 * np_meta_set_pair() - take one ":name:value" pair of a verb.
 * Return: 1 taken, 0 when @name is no metadata field, -EINVAL for a value that the field cannot
 * have.
 */
int np_meta_set_pair(struct np_meta *meta, const char *name, const char *value);
/** np_meta_from_json() - read the members of @json (borrowed as long as @meta lives); others are
 * ignored. */
void np_meta_from_json(struct np_meta *meta, const struct np_json *json);
/** np_meta_merge() - lay @patch over @meta: what is absent stays, what is cleared goes. */
void np_meta_merge(struct np_meta *meta, const struct np_meta *patch);
/** np_meta_to_json() - add the set fields to the object @json. Return: 0 or -ENOMEM. */
int np_meta_to_json(const struct np_meta *meta, struct np_json *json);
/** np_meta_put_pairs() - append ":name:value" for each set field of @ids (ended by NP_META_NR). */
int np_meta_put_pairs(const struct np_meta *meta, const enum np_meta_id *ids, struct np_buf *buf);

static inline bool np_meta_has(const struct np_meta *meta, enum np_meta_id id)
{
	return meta->state[id] == NP_META_SET;
}
/** np_meta_num() - a number or boolean, @dflt when it is not set. */
int64_t np_meta_num(const struct np_meta *meta, enum np_meta_id id, int64_t dflt);
/** np_meta_text() - a text, NULL when it is not set. */
const char *np_meta_text(const struct np_meta *meta, enum np_meta_id id);
void np_meta_put_num(struct np_meta *meta, enum np_meta_id id, int64_t num);
void np_meta_put_text(struct np_meta *meta, enum np_meta_id id, const char *text);

#endif
