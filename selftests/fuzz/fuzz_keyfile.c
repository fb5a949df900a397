// SPDX-License-Identifier: BSD-3-Clause
/* A key file of any content, as @alice's. */
#include "at/keyfile.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct np_at_keys *keys = NULL;
	struct np_err err = NP_ERR_INIT;

	if (np_at_keys_parse((const char *)data, size, "@alice", &keys, &err) == 0)
		np_at_keys_free(keys);
	return 0;
}
