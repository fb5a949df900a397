// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/parse.h"

#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define ID_MAX 248

static const char usage[] = "notify:[id:<id>:][update:|delete:][messageType:key|text:][...]"
			    "(public|@<to>):<key>[@<owner>][:<value>]";

static int bad_value(struct np_err *err, const char *name, const char *value)
{
	return np_fail(err, -EINVAL, "Invalid syntax. %s cannot be '%.40s'", name, value);
}

static int one_of(const char *value, const char *a, const char *b, const char *c)
{
	if (!strcasecmp(value, a))
		return 0;
	if (!strcasecmp(value, b))
		return 1;
	return c && !strcasecmp(value, c) ? 2 : -1;
}

static int take_number(const char *value, int64_t max, int64_t *out)
{
	uint64_t u;

	if (np_str_u64(value, 0, (uint64_t)max, &u))
		return -EINVAL;
	*out = (int64_t)u;
	return 0;
}

/* at_c writes message_type when the application sets it (11.1). */
static int set_field(struct np_req_notify *req, const char *name, char *value)
{
	int which;

	if (!strcmp(name, "id")) {
		req->id = value;
		return np_str_is_charset(value, "_-") && strlen(value) <= ID_MAX ? 1 : -EINVAL;
	}
	if (!strcmp(name, "messageType") || !strcmp(name, "message_type")) {
		which = one_of(value, "key", "text", NULL);
		req->is_text = which == 1;
		return which < 0 ? -EINVAL : 1;
	}
	if (!strcmp(name, "priority")) {
		static const char *const names[] = {"low", "medium", "high"};

		which = one_of(value, "low", "medium", "high");
		req->priority = which < 0 ? NULL : names[which];
		return which < 0 ? -EINVAL : 1;
	}
	if (!strcmp(name, "strategy")) {
		which = one_of(value, "all", "latest", NULL);
		req->is_latest = which == 1;
		return which < 0 ? -EINVAL : 1;
	}
	if (!strcmp(name, "notifier")) {
		req->notifier = value;
		return np_str_is_charset(value, "_.-@ ") && strlen(value) <= ID_MAX ? 1 : -EINVAL;
	}
	if (!strcmp(name, "latestN"))
		return take_number(value, 1000000, &req->depth) ? -EINVAL : 1;
	if (!strcmp(name, "ttln"))
		return take_number(value, 31557600000000ll, &req->ttln_ms) ? -EINVAL : 1;
	return np_meta_set_pair(&req->meta, name, value);
}

/* Everything in front of the recipient. Unknown pairs are tolerated, as in update. */
static int take_fields(char **p, struct np_req_notify *req, struct np_err *err)
{
	for (;;) {
		char *name, *value;

		if (**p == '@' || !strncmp(*p, "public:", 7))
			return 0;
		name = np_parse_take(p, ':');
		if (!name)
			return np_fail(err, -EINVAL, "Invalid syntax. %s", usage);
		if (!strcmp(name, "update") || !strcmp(name, "delete")) {
			req->is_delete = name[0] == 'd';
			continue;
		}
		value = np_parse_take(p, ':');
		if (!value)
			return np_fail(err, -EINVAL, "Invalid syntax. %s", usage);
		if (set_field(req, name, value) < 0)
			return bad_value(err, name, value);
	}
}

/* "<key>[@<owner>][:<value>]": a text without @ is the key as a whole, colons included. */
static int take_key(char *p, struct np_req_notify *req, struct np_err *err)
{
	char *at = strchr(p, '@'), *colon;

	req->key = p;
	if (at) {
		*at = '\0';
		req->owner = at + 1;
		colon = strchr(req->owner, ':');
		if (colon) {
			*colon = '\0';
			req->value = colon + 1;
		}
		if (strchr(req->owner, ' ') || strchr(req->owner, '@') || !*req->owner)
			return np_fail(err, -EINVAL,
				       "Invalid syntax. '@' in a text is not possible");
	}
	if (!p[0] || !p[1] || *p == ':' || strstr(p, "::"))
		return np_fail(err, -EINVAL, "Invalid syntax. %s", usage);
	return 0;
}

int np_parse_notify(char *rest, struct np_req_notify *req, struct np_err *err)
{
	char *to;

	memset(req, 0, sizeof(*req));
	req->depth = 1;
	req->priority = "low";
	if (take_fields(&rest, req, err))
		return -EINVAL;
	to = np_parse_take(&rest, ':');
	if (!to)
		return np_fail(err, -EINVAL, "Invalid syntax. %s", usage);
	req->to = *to == '@' ? to : NULL;
	if (req->is_latest && !req->notifier)
		return np_fail(err, -EINVAL, "Invalid syntax. strategy latest needs a notifier");
	if (!req->notifier)
		req->notifier = "SYSTEM";
	return take_key(rest, req, err);
}
