// SPDX-License-Identifier: BSD-3-Clause
/*
 * The record by which a relay checks our answers to its challenges (noports.md 5.6): the public
 * half of the key that we log in with. It is looked up first: what another program of this
 * enrolment published there, such as a list of several keys, stays. Until the record is known to
 * stand, challenge-response is neither offered nor done.
 */
#include "daemon.h"

#include "at/client.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/rsa.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN (NP_ENROLLMENT_ID_MAX + 24)

static void record_name(const struct daemon *d, char name[NAME_MAX_LEN])
{
	const char *id = d->keys->enrollment_id;

	snprintf(name, NAME_MAX_LEN, "_apsk.%s.a.__e", *id ? id : "primary");
}

static void stands(struct daemon *d)
{
	struct np_err err = NP_ERR_INIT;

	d->is_key_published = true;
	np_info("signing key: published as %s", d->signing_uri);
	if (ping_build(d, &err)) {
		np_warn_err(&err, "device info");
		return;
	}
	if (!d->conf->hide)
		info_refresh(d);
}

static void on_put(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	if (err->code)
		np_warn_err(err, "signing key: not published, so relays can only be sent a line");
	else
		stands(arg);
}

static void on_found(const struct np_err *err, const char *data, size_t len, void *arg)
{
	char name[NAME_MAX_LEN];
	struct np_buf pk = NP_BUF_INIT;
	struct daemon *d = arg;
	struct np_at_put put = {.name = name, .is_public = true};
	struct np_err own = NP_ERR_INIT;

	if (err->code && err->code != -ENOENT) {
		on_put(err, NULL, 0, d);
		return;
	}
	if (np_rsa_public_b64(d->keys->pkam, &pk))
		return;
	if (!err->code && len && strstr(data, np_buf_str(&pk))) {
		stands(d);
	} else if (!err->code && len && strcmp(data, "null")) {
		np_warn("signing key: %s holds another key, so relays can only be sent a line",
			d->signing_uri);
	} else {
		record_name(d, name);
		put.value = np_buf_str(&pk);
		put.value_len = pk.len;
		own.code = np_at_client_put(d->client, &put, on_put, d);
		if (own.code)
			on_put(&own, NULL, 0, d);
	}
	np_buf_fini(&pk);
}

void identity_publish(struct daemon *d)
{
	char name[NAME_MAX_LEN], line[sizeof(d->signing_uri) + 16];
	int n;

	record_name(d, name);
	snprintf(d->signing_uri, sizeof(d->signing_uri), "public:%s%s", name, d->conf->atsign);
	n = snprintf(line, sizeof(line), "llookup:%s", d->signing_uri);
	(void)np_at_client_command(d->client, line, (size_t)n, on_found, d);
}
