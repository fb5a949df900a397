// SPDX-License-Identifier: BSD-3-Clause
/*
 * Two daemons with the same atSign and device name would both answer, and a relay would pair a
 * client with either. So each tells the others that it is there, by a notification to its own
 * atSign:
 *
 *	start:                      announce {"id","host","pid"}
 *	hear another's announcement: when we serve already, reply with {..,"to":ID} and warn
 *	hear a reply to us in time:  the other one was first: say so and leave
 *	both just starting:          the one with the smaller id stays
 *
 * Sessions that run are processes of their own and do not notice.
 */
#include "daemon.h"

#include "at/client.h"
#include "base/clock.h"
#include "base/err.h"
#include "json/json.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TIE_MS 3000    /* announcements this close are taken for simultaneous */
#define REPLY_MS 15000 /* a later reply does not end a daemon that serves */
#define NOTE_TTL_MS 10000

static bool announced_within(const struct daemon *d, long long ms)
{
	return np_clock_mono_ms() - d->announced_at_ms < ms;
}

static void say(struct daemon *d, const char *to_id)
{
	struct np_json *obj = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	char host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	if (obj && !np_json_set_str(obj, "id", d->instance_id) &&
	    !np_json_set_str(obj, "host", host) && !np_json_set_int(obj, "pid", getpid()) &&
	    (!to_id || !np_json_set_str(obj, "to", to_id)) && !np_json_write(obj, &text))
		(void)daemon_notify(d, d->conf->atsign, "instance", np_buf_str(&text), text.len,
				    NOTE_TTL_MS);
	np_json_put(obj);
	np_buf_fini(&text);
}

void instance_announce(struct daemon *d)
{
	d->announced_at_ms = np_clock_mono_ms();
	say(d, NULL);
}

static void yield_to(struct daemon *d, const char *host, int64_t pid)
{
	np_error("device %s: another sshnpd (host %s, pid %lld) serves this name of %s already; "
		 "stop that one or "
		 "give this one another --device",
		 d->conf->device, host, (long long)pid, d->conf->atsign);
	d->is_leaving = true;
	daemon_stop(d, 1);
}

static void heard(struct daemon *d, const char *id, const char *to, const char *host, int64_t pid)
{
	/* Before announcing and after yielding it has no say: else each could end the other. */
	if (!d->announced_at_ms || d->is_leaving || (to && strcmp(to, d->instance_id)))
		return;
	if (to ? announced_within(d, REPLY_MS)
	       : announced_within(d, TIE_MS) && strcmp(id, d->instance_id) < 0) {
		yield_to(d, host, pid);
		return;
	}
	if (np_log_may(&d->instance_limit, 1, 60000))
		np_warn("device %s: another sshnpd was started with this name: host=%s pid=%lld",
			d->conf->device, host, (long long)pid);
	if (!to)
		say(d, id);
}

void instance_handle(struct daemon *d, const struct np_at_notification *note)
{
	struct np_json *json = np_json_parse(note->value, note->value_len, "instance note", NULL);
	const char *id = np_json_str(json, "id"), *host = np_json_str(json, "host");

	if (id && strcmp(id, d->instance_id))
		heard(d, id, np_json_str(json, "to"), host ? host : "unknown",
		      np_json_int(json, "pid", 0));
	np_json_put(json);
}
