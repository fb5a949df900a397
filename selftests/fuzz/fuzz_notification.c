// SPDX-License-Identifier: BSD-3-Clause
/* The JSON of a notification. What is accepted is consistent in itself. */
#include "at/note.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct np_at_note note;
	struct np_err err = NP_ERR_INIT;
	char key[NP_AT_KEY_MAX + 2 * NP_ATSIGN_MAX + 2];

	if (np_at_note_parse((const char *)data, size, &note, &err) == 0 && !note.is_stats &&
	    !note.is_text) {
		snprintf(key, sizeof(key), "%s:%s%s", note.to, note.name, note.from);
		if (strcmp(key, note.key) || strchr(note.name, '@'))
			abort();
	}
	np_at_note_fini(&note);
	return 0;
}
