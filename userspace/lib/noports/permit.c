// SPDX-License-Identifier: BSD-3-Clause
#include "noports/permit.h"

#include "base/err.h"
#include "base/str.h"
#include "noports/msg.h"
#include "noports/msg_fields.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_MAX (NP_MSG_HOST_MAX + 8)

void np_permit_fini(struct np_permit *permit)
{
	size_t i;

	for (i = 0; i < permit->nr; i++)
		free(permit->entries[i]);
	free(permit->entries);
	memset(permit, 0, sizeof(*permit));
}

/* Splits at the last colon and takes brackets off. */
static int split(const char *entry, char host[NP_MSG_HOST_MAX], const char **port)
{
	const char *colon = strrchr(entry, ':');
	size_t len = colon ? (size_t)(colon - entry) : 0;

	if (!len)
		return -EINVAL;
	*port = colon + 1;
	if (entry[0] == '[' && entry[len - 1] == ']' && len > 2)
		return np_str_copy_n(host, NP_MSG_HOST_MAX, entry + 1, len - 2);
	return np_str_copy_n(host, NP_MSG_HOST_MAX, entry, len);
}

static int check(const char *entry, char host[NP_MSG_HOST_MAX], const char **port,
		 struct np_err *err)
{
	uint16_t number;

	if (strlen(entry) > ENTRY_MAX)
		return np_fail(err, -EINVAL,
			       "permit-open entry '%.40s...': longer than %d characters", entry,
			       ENTRY_MAX);
	if (split(entry, host, port))
		return np_fail(err, -EINVAL, "permit-open entry '%s': is not HOST:PORT", entry);
	if (strcmp(host, "*") && !msg_host_ok(host))
		return np_fail(err, -EINVAL,
			       "permit-open entry '%s': the host is no name, address or *", entry);
	/* A leading zero would make an entry that matches no port's text. */
	if (strcmp(*port, "*") && (**port == '0' || np_str_port(*port, false, &number)))
		return np_fail(err, -EINVAL,
			       "permit-open entry '%s': the port is not in 1 to 65535 and not *",
			       entry);
	return 0;
}

int np_permit_add(struct np_permit *permit, const char *entry, struct np_err *err)
{
	char host[NP_MSG_HOST_MAX], text[ENTRY_MAX + 1], **grown;
	const char *port = "";
	size_t i;
	int ret;

	if (permit->nr >= NP_PERMIT_ENTRIES_MAX)
		return np_fail(err, -E2BIG, "permit-open entry '%.60s': more than %d entries",
			       entry, NP_PERMIT_ENTRIES_MAX);
	ret = check(entry, host, &port, err);
	if (ret)
		return ret;
	snprintf(text, sizeof(text), "%s:%s", host, port);
	for (i = 0; i < permit->nr; i++)
		if (!strcmp(permit->entries[i], text))
			return 0;
	grown = realloc(permit->entries, (permit->nr + 2) * sizeof(*grown));
	if (!grown)
		return np_fail(err, -ENOMEM, "permit-open: out of memory");
	permit->entries = grown;
	grown[permit->nr + 1] = NULL;
	grown[permit->nr] = strdup(text);
	if (!grown[permit->nr])
		return np_fail(err, -ENOMEM, "permit-open: out of memory");
	permit->nr++;
	return 0;
}

bool np_permit_allows(const struct np_permit *permit, const char *host, uint16_t port)
{
	char port_text[8];
	size_t i;

	if (!port)
		return false;
	snprintf(port_text, sizeof(port_text), "%u", port);
	for (i = 0; i < permit->nr; i++) {
		const char *entry = permit->entries[i], *colon = strrchr(entry, ':');
		size_t len = (size_t)(colon - entry);

		if ((!strcmp(colon + 1, "*") || !strcmp(colon + 1, port_text)) &&
		    ((len == 1 && *entry == '*') ||
		     (len == strlen(host) && !memcmp(entry, host, len))))
			return true;
	}
	return false;
}
