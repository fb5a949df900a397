// SPDX-License-Identifier: BSD-3-Clause
/* stats: figures of the server and of the asker's atSign (atprotocol.md 14). */
#include "atserver/internal.h"
#include "atserver/logview.h"
#include "atserver/outbound.h"
#include "atserver/respond.h"
#include "atserver/tenant.h"
#include "atserver/turn.h"
#include "atserver/verb.h"
#include "atserver/visits.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>

struct ask {
	struct np_session *s;
	const struct np_req_stats *req;
	struct np_store_usage usage; /* read when one of those that need it was asked for */
	struct np_buf *text;
};

static int put_number(struct ask *ask, long long n)
{
	return np_buf_printf(ask->text, "%lld", n);
}

static int put_json(struct ask *ask, struct np_json *json)
{
	int ret = json ? np_json_write(json, ask->text) : -ENOMEM;

	np_json_put(json);
	return ret;
}

static int put_time(struct ask *ask, int64_t ms)
{
	char text[32] = "null";

	if (ms)
		np_clock_at_utc(ms, text, sizeof(text));
	return np_buf_append_str(ask->text, text);
}

static int inbound(struct ask *ask)
{
	return put_number(ask, ask->s->srv->nr_sessions);
}

static int outbound(struct ask *ask)
{
	return put_number(ask, np_outbound_nr(ask->s->srv->outbound));
}

static bool take_id(const struct np_log_entry *entry, void *arg)
{
	*(int64_t *)arg = entry->commit_id;
	return false;
}

/* What sync would reach: with a filter in force it is less than the newest id. */
static int last_commit(struct ask *ask)
{
	struct np_err err = NP_ERR_INIT;
	struct np_logview view;
	int64_t id = -1;
	int ret;

	ret = np_logview_init(&view, ask->s, ask->req->regex, &err);
	if (ret)
		return ret;
	ret = np_logview_each(&view, -1, true, take_id, &id);
	np_logview_fini(&view);
	return ret ? ret : put_number(ask, id);
}

static int storage(struct ask *ask)
{
	return put_number(ask, ask->usage.nr_bytes);
}

static int top_atsigns(struct ask *ask)
{
	return put_json(ask, np_visits_top_atsigns(ask->s->tenant));
}

static int top_keys(struct ask *ask)
{
	return put_json(ask, np_visits_top_keys(ask->s->tenant));
}

static int version(struct ask *ask)
{
	return np_buf_append_str(ask->text, NP_AT_LEVEL);
}

static int logged_in(struct ask *ask)
{
	return put_time(ask, ask->s->tenant->login_at);
}

static int pkam(struct ask *ask)
{
	return put_time(ask, ask->s->tenant->pkam_at);
}

static int notes(struct ask *ask)
{
	return put_number(ask, ask->usage.nr_notes);
}

/* The log keeps one entry per key and notifications go when they expire: no compaction ever ran. */
static int no_compaction(struct ask *ask)
{
	return np_buf_append_str(ask->text, "null");
}

static bool take_entry(const struct np_log_entry *entry, void *arg)
{
	const char op[2] = {entry->op, '\0'};
	struct np_json *pair = np_json_arr(), *id = np_json_obj();
	bool good;

	/* A bare number is made by way of a member. */
	good = pair && id && !np_json_set_int(id, "id", entry->commit_id) &&
	       !np_json_add(pair, np_json_ref(np_json_get(id, "id"))) &&
	       !np_json_add_str(pair, op);
	np_json_put(id);
	if (!good) {
		np_json_put(pair);
		return false;
	}
	return !np_json_set(arg, entry->key, pair);
}

static int latest_entries(struct ask *ask)
{
	struct np_err err = NP_ERR_INIT;
	struct np_json *json = np_json_obj();
	struct np_logview view;
	int ret;

	ret = json ? np_logview_init(&view, ask->s, ask->req->regex, &err) : -ENOMEM;
	if (!ret) {
		ret = np_logview_each(&view, -1, false, take_entry, json);
		np_logview_fini(&view);
	}
	if (!ret)
		return put_json(ask, json);
	np_json_put(json);
	return ret;
}

static const struct {
	const char *name;
	int (*put)(struct ask *ask);
} stats[NP_STAT_NR] = {
	{"activeInboundConnections", inbound},
	{"activeOutboundConnections", outbound},
	{"lastCommitID", last_commit},
	{"secondaryStorageSize", storage},
	{"topAtSigns", top_atsigns},
	{"topKeys", top_keys},
	{"secondaryServerVersion", version},
	{"LastLoggedInDatetime", logged_in},
	{"diskSize", storage},
	{"LastPkam", pkam},
	{"NotificationCount", notes},
	{"CommitLogCompactionStats", no_compaction},
	{"AccessLogCompactionStats", no_compaction},
	{"NotificationCompactionStats", no_compaction},
	{"LatestCommitEntryOfEachKey", latest_entries},
};

#define NEEDS_USAGE (1u << 3 | 1u << 8 | 1u << 10)

static int put_stat(struct ask *ask, struct np_json *list, unsigned int i)
{
	struct np_buf text = NP_BUF_INIT;
	struct np_json *json = np_json_obj();
	char id[8];
	int ret;

	snprintf(id, sizeof(id), "%u", i + 1);
	ask->text = &text;
	ret = json ? stats[i].put(ask) : -ENOMEM;
	if (!ret)
		ret = np_json_set_str(json, "id", id) ||
		      np_json_set_str(json, "name", stats[i].name) ||
		      np_json_set_str(json, "value", np_buf_str(&text));
	np_buf_fini(&text);
	if (!ret)
		return np_json_add(list, json);
	np_json_put(json);
	return ret;
}

void np_verb_stats(struct np_session *s, char *rest)
{
	struct np_store *store = s->srv->store;
	struct np_err err = NP_ERR_INIT;
	struct np_req_stats req;
	struct ask ask = {.s = s, .req = &req};
	struct np_json *list;
	unsigned int i;
	int ret = 0;

	if (np_parse_stats(rest, &req, &err)) {
		np_respond_colon(s, "AT0003", "%s", err.msg);
		return;
	}
	list = np_json_arr();
	np_turn_read(s->srv);
	if (req.ids & NEEDS_USAGE)
		ret = store->ops->usage(store, s->tenant->name, &ask.usage);
	for (i = 0; list && !ret && i < NP_STAT_NR; i++)
		if (req.ids & 1u << i)
			ret = put_stat(&ask, list, i);
	if (list && !ret) {
		np_respond_spaced(s, list);
		return;
	}
	np_json_put(list);
	np_respond_colon(s, ret == -EINVAL ? "AT0003" : "AT0010", "cannot tell the statistics");
}
