// SPDX-License-Identifier: BSD-3-Clause
/* What managers find without asking us: user name and device info records (noports.md 9.2). */
#include "daemon.h"

#include "at/client.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEVICE_INFO_TTL_MS (30LL * 24 * 3600 * 1000)

static void on_done(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	if (err->code)
		np_warn_err(err, "%s: not done", (const char *)arg);
}

static void share(struct daemon *d, const char *to, const char *record, const char *value,
		  size_t len, int64_t ttl_ms)
{
	char name[NP_DEVICE_MAX + 32];
	struct np_at_put put = {
		.to = to,
		.name = name,
		.value = value,
		.value_len = len,
		.ttl_ms = ttl_ms,
		.ttr_s = -1,
		.ccd = true,
	};
	int ret;

	snprintf(name, sizeof(name), "%s%s", record, d->suffix);
	ret = np_at_client_put(d->client, &put, on_done, (void *)(uintptr_t) "sharing device info");
	if (ret)
		np_warn("%s: cannot be shared with=%s: %s", name, to, strerror(-ret));
}

static void withdraw(struct daemon *d, const char *to, const char *record)
{
	char name[NP_DEVICE_MAX + 32];
	int ret;

	snprintf(name, sizeof(name), "%s%s", record, d->suffix);
	ret = np_at_client_del(d->client, to, name, on_done,
			       (void *)(uintptr_t) "hiding device info");
	if (ret)
		np_warn("%s: cannot be withdrawn from=%s: %s", name, to, strerror(-ret));
}

void info_refresh(struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->conf->nr_managers; i++) {
		const char *to = d->conf->managers[i];

		if (d->conf->hide) {
			withdraw(d, to, "username");
			withdraw(d, to, "device_info");
			continue;
		}
		share(d, to, "username", d->conf->user, strlen(d->conf->user), 0);
		share(d, to, "device_info", np_buf_str(&d->ping_text), d->ping_text.len,
		      DEVICE_INFO_TTL_MS);
	}
}
