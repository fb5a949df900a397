// SPDX-License-Identifier: BSD-3-Clause
/* Edits of authorized_keys: a line that is added and removed leaves the file as it was, but for its
 * last newline. */
#include "base/buf.h"
#include "noports/authkeys.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "sshnp_ephemeral_test"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct np_buf clean = NP_BUF_INIT, added = NP_BUF_INIT, removed = NP_BUF_INIT,
		      again = NP_BUF_INIT;
	const char *text = (const char *)data;

	/* First without what carries the mark already; doing so twice changes nothing more. */
	if (np_authkeys_text_remove(text, size, MARK, false, &clean) < 0 || clean.len > size ||
	    np_authkeys_text_remove(np_buf_str(&clean), clean.len, MARK, false, &again) != 0 ||
	    again.len != clean.len)
		abort();
	if (np_authkeys_text_add(np_buf_str(&clean), clean.len, "t KEY " MARK, &added) != 1 ||
	    !np_authkeys_text_has(np_buf_str(&added), added.len, "t KEY") ||
	    np_authkeys_text_remove(np_buf_str(&added), added.len, MARK, false, &removed) != 1)
		abort();
	if (clean.len && (removed.len < clean.len || removed.len > clean.len + 1 ||
			  memcmp(removed.data, clean.data, clean.len)))
		abort();
	np_buf_fini(&clean);
	np_buf_fini(&added);
	np_buf_fini(&removed);
	np_buf_fini(&again);
	return 0;
}
