// SPDX-License-Identifier: BSD-3-Clause
/* scan: the names of the keys that the asker may see (atprotocol.md 10.7). */
#include "atserver/access.h"
#include "atserver/block.h"
#include "atserver/fetch.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/regex.h"
#include "atserver/respond.h"
#include "atserver/tenant.h"
#include "atserver/turn.h"
#include "atserver/verb.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define SCAN_ALL_TENANTS 256

struct scan {
	struct np_session *s; /* whose namespaces count; NULL: no owner */
	struct np_json *keys;
	struct np_regex *regex;
	const char *prefix; /* stored keys begin with it, shown ones do not; NULL for the owner's
			       view */
	bool show_hidden, failed;
	int64_t now;
};

/* Keys of the owner that stay out of sight; some of them are shown on demand. */
static bool is_hidden(const char *key, bool show_hidden)
{
	if (np_str_starts(key, "private:") || np_str_starts(key, "privatekey:") ||
	    np_access_is_secret(key))
		return true;
	if (np_str_starts(key, "public:__") || *key == '_')
		return !show_hidden;
	return np_str_starts(key, "public:_");
}

static bool is_shown(const struct scan *scan, const char *key)
{
	if (!scan->prefix)
		return !is_hidden(key, scan->show_hidden) && np_access_scan(scan->s, key);
	return !np_str_starts(key, "public:_") && !np_access_is_secret(key);
}

static bool take(const char *key, const struct np_record *rec, void *arg)
{
	struct scan *scan = arg;

	if (rec->available_at > scan->now || (rec->expires_at && rec->expires_at <= scan->now))
		return true;
	if (!is_shown(scan, key) || !np_regex_match(scan->regex, key))
		return true;
	if (np_json_add_str(scan->keys, key + (scan->prefix ? strlen(scan->prefix) : 0))) {
		scan->failed = true;
		return false;
	}
	return true;
}

static void scan_store(struct np_session *s, struct np_tenant *tenant, const char *prefix,
		       const struct np_req_scan *req, struct np_regex *regex)
{
	struct scan scan = {.s = s,
			    .keys = np_json_arr(),
			    .regex = regex,
			    .prefix = prefix,
			    .show_hidden = req->show_hidden,
			    .now = np_clock_wall_ms()};
	struct np_store *store = tenant->srv->store;

	np_turn_read(s->srv);
	if (!scan.keys ||
	    store->ops->scan(store, tenant->name, prefix ? prefix : "", take, &scan) ||
	    scan.failed) {
		np_json_put(scan.keys);
		np_respond_error(s, "AT0010", "cannot read the keys");
		return;
	}
	np_respond_json(s, scan.keys);
}

struct scan_all {
	struct scan scan;
	struct np_store *store;
};

static bool scan_tenant(const char *name, void *value, void *arg)
{
	struct scan_all *all = arg;

	(void)value;
	if (all->store->ops->scan(all->store, name, "public:", take, &all->scan))
		all->scan.failed = true;
	return !all->scan.failed;
}

/*
 * Published clients ask whether an atSign is activated by a scan before they name it (18.2). Every key ends in its
 * owner, so the public keys of all atSigns answer that; a server with very many tells nobody their list.
 */
static void scan_all(struct np_session *s, const struct np_req_scan *req, struct np_regex *regex)
{
	struct scan_all all = {.scan = {.s = s,
					.keys = np_json_arr(),
					.regex = regex,
					.prefix = "public:",
					.show_hidden = req->show_hidden,
					.now = np_clock_wall_ms()},
			       .store = s->srv->store};

	np_turn_read(s->srv);
	if (all.scan.keys)
		np_map_each(&s->srv->tenants, scan_tenant, &all);
	if (!all.scan.keys || all.scan.failed) {
		np_json_put(all.scan.keys);
		np_respond_error(s, "AT0010", "cannot read the keys");
		return;
	}
	np_respond_json(s, all.scan.keys);
}

static void scan_unnamed(struct np_session *s, const struct np_req_scan *req,
			 struct np_regex *regex)
{
	/* Without an earlier command that named one, only a single atSign can be meant. */
	struct np_tenant *tenant = np_tenant_named(s);
	char prefix[NP_ATSIGN_MAX + 2];

	if (!tenant && s->auth != NP_AUTH_POL && s->srv->nr_tenants <= SCAN_ALL_TENANTS) {
		scan_all(s, req, regex);
		return;
	}
	if (!tenant) {
		np_respond_error(s, "AT0003",
				 "several atSigns are served here, send from:<atSign> first");
		return;
	}
	if (np_block_refuses(s, tenant))
		return;
	if (s->auth == NP_AUTH_POL) {
		snprintf(prefix, sizeof(prefix), "%s:", s->peer);
		scan_store(s, tenant, prefix, req, regex);
		return;
	}
	s->tenant = tenant;
	if (np_tenant_need_signing(tenant))
		np_respond_store(s);
	else
		scan_store(s, tenant, "public:", req, regex);
}

static void scan_owner(struct np_session *s, const struct np_req_scan *req, struct np_regex *regex)
{
	char atsign[NP_ATSIGN_MAX], prefix[NP_ATSIGN_MAX + 2];
	struct np_err err = NP_ERR_INIT;
	struct np_tenant *local;

	if (req->of && np_atsign_parse(req->of, atsign, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	if (!req->of || !strcmp(atsign, s->tenant->name)) {
		scan_store(s, s->tenant, NULL, req, regex);
		return;
	}
	local = np_tenant_find(s->srv, atsign);
	if (!local) {
		np_fetch_scan(s, atsign, req->regex);
		return;
	}
	if (np_block_has(local, s->tenant->name)) {
		np_respond_error(s, "AT0008", "%s refuses %s", local->name, s->tenant->name);
		return;
	}
	snprintf(prefix, sizeof(prefix), "%s:", s->tenant->name);
	scan_store(s, local, prefix, req, regex);
}

void np_verb_scan(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	struct np_regex *regex = NULL;
	struct np_req_scan req;

	if (np_parse_scan(rest, &req, &err) ||
	    np_regex_new(req.regex ? req.regex : "", &regex, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	if (s->auth == NP_AUTH_OWNER)
		scan_owner(s, &req, regex);
	else if (req.of)
		np_respond_error(s, "AT0401", "Command cannot be executed without auth");
	else
		scan_unnamed(s, &req, regex);
	np_regex_free(regex);
}
