// SPDX-License-Identifier: BSD-3-Clause
/* Ping and its answer, the heartbeat (noports.md 4.2). */
#include "daemon.h"

#include "base/err.h"
#include "base/str.h"

#include <errno.h>

#define CORE_VERSION "k" NP_VERSION
#define HEARTBEAT_TTL_MS 10000

int ping_build(struct daemon *d, struct np_err *err)
{
	/* Advertised is what this daemon does, so that clients give up at once on the rest. */
	struct np_ping_response msg = {
		.version = NP_VERSION,
		.core = CORE_VERSION,
		.has_features = true,
		.accepts_public_keys = d->conf->accept_public_keys,
		.sr_auth = true,
		.sr_e2ee = true,
		.supports_port_choice = true,
		.adjustable_timeout = true,
		.control_heartbeats = true,
		.twin_keys = true,
		.supports_escr = d->is_key_published,
		.allowed = d->conf->permit.entries,
	};
	int ret;

	if (np_str_copy(msg.device, sizeof(msg.device), d->conf->device) ||
	    np_str_copy(msg.group, sizeof(msg.group), d->conf->device_group))
		return np_fail(err, -EINVAL, "device info: a name is too long");
	np_buf_fini(&d->ping_text);
	ret = np_ping_response_write(&msg, &d->ping_text);
	return ret ? np_fail_errno(err, ret, "device info: cannot be written") : 0;
}

void ping_handle(struct daemon *d, const struct np_at_notification *note)
{
	np_debug("ping: answered from=%s", note->from);
	(void)daemon_notify(d, note->from, "heartbeat", np_buf_str(&d->ping_text), d->ping_text.len,
			    HEARTBEAT_TTL_MS);
}
