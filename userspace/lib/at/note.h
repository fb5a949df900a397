/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON of one notification, checked (atprotocol.md 12.2). Still encrypted. */
#ifndef NP_AT_NOTE_H
#define NP_AT_NOTE_H

#include "at/atsign.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_err;
struct np_json;

#define NP_AT_KEY_MAX 255

/**
 * struct np_at_note - texts live in @json, except for those copied here.
 * @key: lower case, "@to:name@from"
 * @value, @shared_key_enc, @pub_key_cs, @iv: NULL when absent
 * @is_stats: the server's own sign of life (id -1): only @epoch_ms is set
 * @is_text: a text message, in which @key is "@to:TEXT" and @name empty
 */
struct np_at_note {
	struct np_json *json;
	const char *id, *value;
	const char *shared_key_enc, *pub_key_cs, *iv;
	bool is_encrypted, is_delete, is_stats, is_text;
	int64_t epoch_ms;
	char from[NP_ATSIGN_MAX], to[NP_ATSIGN_MAX];
	char key[NP_AT_KEY_MAX + 1], name[NP_AT_KEY_MAX + 1];
};

/**
 * np_at_note_parse() - fill @note, np_at_note_fini() it in every case.
 * Return: 0, -EBADMSG for no JSON or wrong members, -EPROTO when key and sender contradict each
 * other.
 */
int np_at_note_parse(const char *text, size_t len, struct np_at_note *note, struct np_err *err);
void np_at_note_fini(struct np_at_note *note);

#endif
