// SPDX-License-Identifier: BSD-3-Clause
/* A line that an atServer or a directory answers. */
#include "at/directory.h"
#include "at/reply.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct np_at_reply reply;
	char host[NP_HOST_MAX];
	uint16_t port;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	/* Connections refuse lines with a NUL byte before they parse them. */
	np_at_reply_parse(line, strlen(line), &reply);
	if (reply.data && reply.data + reply.len != line + strlen(line))
		abort();
	if (reply.kind == NP_AT_REPLY_ERROR && reply.err.code >= 0)
		abort();
	if (np_directory_parse_answer(line, size, host, &port, NULL) == 0 && (!*host || !port))
		abort();
	free(line);
	return 0;
}
