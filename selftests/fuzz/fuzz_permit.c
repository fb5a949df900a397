// SPDX-License-Identifier: BSD-3-Clause
/* permit-open entries, one a line: what is accepted is kept as it was written and never allows port
 * 0. */
#include "base/err.h"
#include "noports/permit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *entry)
{
	struct np_permit permit = NP_PERMIT_INIT, again = NP_PERMIT_INIT;
	struct np_err err = NP_ERR_INIT;

	if (np_permit_add(&permit, entry, &err)) {
		if (!err.msg[0] || permit.nr)
			abort();
	} else {
		if (permit.nr != 1 || (entry[0] != '[' && strcmp(permit.entries[0], entry)) ||
		    np_permit_add(&again, permit.entries[0], NULL) ||
		    np_permit_allows(&permit, "host", 0))
			abort();
		if (np_permit_allows(&permit, "host", 22) && strcmp(entry, "*:*") &&
		    strcmp(entry, "*:22") && strcmp(permit.entries[0], "host:22") &&
		    strcmp(permit.entries[0], "host:*") && entry[0] != '[')
			abort();
	}
	np_permit_fini(&permit);
	np_permit_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1), *rest = text, *entry;

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	while ((entry = strsep(&rest, "\n")))
		check(entry);
	free(text);
	return 0;
}
