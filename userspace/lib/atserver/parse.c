// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/parse.h"

#include "base/err.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* In the order of the dispatch: the first match counts. @bare verbs may stand without a colon. */
static const struct {
	const char *name;
	enum np_verb verb;
	bool exact; /* the whole line */
	bool bare;  /* followed by the end, a space or a colon */
} verbs[] = {
	{"@exit", NP_VERB_EXIT, true, false},
	{"from:", NP_VERB_FROM, false, false},
	{"cram:", NP_VERB_CRAM, false, false},
	{"pkam:", NP_VERB_PKAM, false, false},
	{"update:meta:", NP_VERB_UPDATE_META, false, false},
	{"update:json:", NP_VERB_UPDATE_JSON, false, false},
	{"update:", NP_VERB_UPDATE, false, false},
	{"llookup:", NP_VERB_LLOOKUP, false, false},
	{"plookup:", NP_VERB_PLOOKUP, false, false},
	{"lookup:", NP_VERB_LOOKUP, false, false},
	{"scan", NP_VERB_SCAN, false, true},
	{"pol", NP_VERB_POL, true, false},
	{"delete:", NP_VERB_DELETE, false, false},
	{"monitor", NP_VERB_MONITOR, false, true},
	{"notify:status:", NP_VERB_NOTIFY_STATUS, false, false},
	{"notify:list", NP_VERB_NOTIFY_LIST, false, true},
	{"notify:fetch:", NP_VERB_NOTIFY_FETCH, false, false},
	{"notify:remove:", NP_VERB_NOTIFY_REMOVE, false, false},
	{"notify:all:", NP_VERB_NOTIFY_ALL, false, false},
	{"notify:", NP_VERB_NOTIFY, false, false},
	{"info", NP_VERB_INFO, false, true},
	{"noop:", NP_VERB_NOOP, false, false},
	{"enroll:", NP_VERB_ENROLL, false, false},
	{"otp:", NP_VERB_OTP, false, false},
	{"keys:", NP_VERB_KEYS, false, false},
	{"sync:from:", NP_VERB_SYNC, false, false},
	{"batch:", NP_VERB_BATCH, false, false},
	{"stats", NP_VERB_STATS, false, true},
	{"config:", NP_VERB_CONFIG, false, false},
};

/* Compares like the verb's name in the table, skipping the line's spaces in front of a colon. */
static bool starts_with_verb(char *line, const char *name, char **rest)
{
	for (; *name; name++, line++) {
		if (*name == ':')
			while (*line == ' ')
				line++;
		if (tolower((unsigned char)*line) != *name)
			return false;
	}
	*rest = line;
	return true;
}

enum np_verb np_parse_verb(char *line, char **rest)
{
	size_t len = strlen(line), i;

	while (len && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	while (isspace((unsigned char)*line))
		line++;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!starts_with_verb(line, verbs[i].name, rest))
			continue;
		if (verbs[i].exact && **rest)
			continue;
		if (verbs[i].bare && **rest && **rest != ' ' && **rest != ':')
			continue;
		return verbs[i].verb;
	}
	*rest = line;
	return NP_VERB_UNKNOWN;
}

bool np_parse_utf8(const char *line, size_t len)
{
	const unsigned char *p = (const unsigned char *)line, *end = p + len;

	while (p < end) {
		unsigned int more = *p < 0x80 ? 0 : *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;

		if ((*p < 0x20 && *p != '\t') || *p == 0x7f || (*p >= 0x80 && *p < 0xc2) ||
		    *p > 0xf4)
			return false;
		if (more > (size_t)(end - p) - 1)
			return false;
		if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
			return false;
		for (p++; more; more--, p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

char *np_parse_take(char **p, char sep)
{
	char *start = *p, *at = strchr(start, sep);

	if (!at)
		return NULL;
	*at = '\0';
	*p = at + 1;
	return start;
}

/* Drops @prefix off *@p when it is there; @prefix is compared without regard to case. */
static bool skip(char **p, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncasecmp(*p, prefix, len))
		return false;
	*p += len;
	return true;
}

static int syntax(struct np_err *err, const char *usage)
{
	return np_fail(err, -EINVAL, "Invalid syntax. %s", usage);
}

int np_parse_from(char *rest, struct np_req_from *req, struct np_err *err)
{
	char *config = strstr(rest, ":clientConfig:");

	memset(req, 0, sizeof(*req));
	if (config) {
		*config = '\0';
		req->config = config + strlen(":clientConfig:");
	}
	if (!*rest || strchr(rest, ':'))
		return syntax(err, "from:<atSign>[:clientConfig:<json>]");
	req->atsign = rest;
	return 0;
}

int np_parse_pkam(char *rest, struct np_req_pkam *req, struct np_err *err)
{
	char *word;

	memset(req, 0, sizeof(*req));
	for (;;) {
		const char **field = NULL;

		if (skip(&rest, "signingAlgo:"))
			field = &req->signing;
		else if (skip(&rest, "hashingAlgo:"))
			field = &req->hashing;
		else if (!skip(&rest, "enrollmentId:"))
			break;
		word = np_parse_take(&rest, ':');
		if (!word || !*word)
			return syntax(err, "pkam:[signingAlgo:..:][hashingAlgo:..:][enrollmentId:.."
					   ":]<signature>");
		if (field)
			*field = word;
		else
			req->enrollment_id = word;
	}
	if (!*rest || strchr(rest, ':') || strchr(rest, ' '))
		return syntax(
			err,
			"pkam:[signingAlgo:..:][hashingAlgo:..:][enrollmentId:..:]<signature>");
	req->signature = rest;
	return 0;
}

static bool is_key_front(const char *p)
{
	static const char *const fronts[] = {
		"public:", "cached:", "private:", "privatekey:", "local:"};
	size_t i;

	if (*p == '@')
		return true;
	for (i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++)
		if (!strncasecmp(p, fronts[i], strlen(fronts[i])))
			return true;
	return false;
}

/* Takes ":name:value" pairs until the key begins; unknown names are tolerated (7.2). */
static int take_pairs(char **p, struct np_meta *meta, struct np_err *err)
{
	while (!is_key_front(*p) && strchr(*p, ':')) {
		char *name = np_parse_take(p, ':'), *value = np_parse_take(p, ':');

		if (!value)
			return syntax(err, "a key is missing behind the metadata");
		if (np_meta_set_pair(meta, name, value) < 0)
			return np_fail(err, -EINVAL, "Invalid syntax. %s cannot be '%.40s'", name,
				       value);
	}
	return 0;
}

int np_parse_update(char *rest, struct np_req_update *req, struct np_err *err)
{
	char *space = strchr(rest, ' ');

	memset(req, 0, sizeof(*req));
	if (!space || !space[1])
		return syntax(err, "update:[<metadata>:]<key> <value>");
	*space = '\0';
	if (take_pairs(&rest, &req->meta, err))
		return -EINVAL;
	if (!*rest)
		return syntax(err, "update:[<metadata>:]<key> <value>");
	req->key = rest;
	req->value = space + 1;
	return 0;
}

/* "<key>:name:value...": the key ends at the first colon behind its owner. */
int np_parse_update_meta(char *rest, struct np_req_update *req, struct np_err *err)
{
	char *at = strrchr(rest, '@'), *colon;

	memset(req, 0, sizeof(*req));
	colon = at ? strchr(at, ':') : NULL;
	if (!colon || strchr(rest, ' '))
		return syntax(err, "update:meta:<key>:<metadata>");
	*colon++ = '\0';
	req->key = rest;
	while (colon) {
		char *name = np_parse_take(&colon, ':'), *value = colon;

		if (!name)
			return syntax(err, "update:meta:<key>:<metadata>");
		if (!np_parse_take(&colon, ':'))
			colon = NULL;
		if (np_meta_set_pair(&req->meta, name, value) < 0)
			return np_fail(err, -EINVAL, "Invalid syntax. %s cannot be '%.40s'", name,
				       value);
	}
	return 0;
}

int np_parse_lookup(char *rest, struct np_req_lookup *req, struct np_err *err)
{
	memset(req, 0, sizeof(*req));
	if (skip(&rest, "bypassCache:")) {
		char *word = np_parse_take(&rest, ':');

		if (!word || (strcasecmp(word, "true") && strcasecmp(word, "false")))
			return syntax(err, "bypassCache is true or false");
		req->bypass_cache = !strcasecmp(word, "true");
	}
	if (skip(&rest, "meta:"))
		req->meta = true;
	else if (skip(&rest, "all:"))
		req->all = true;
	if (!*rest || strchr(rest, ' '))
		return syntax(err, "[bypassCache:<bool>:][meta:|all:]<key>@<atSign>");
	req->key = rest;
	return 0;
}

/* The next of the colon-separated words in front of a blank. */
static char *next_field(const char **fields)
{
	size_t len;
	char *field = (char *)np_str_next(fields, ':', &len);

	if (field)
		field[len] = '\0';
	return field;
}

/* Splits ":a:b <regex>" as scan and monitor have it. Return: the words behind the first colon, or
 * NULL. */
static const char *split_regex(char *rest, char **regex)
{
	char *space = strchr(rest, ' ');

	if (space) {
		*space = '\0';
		if (space[1])
			*regex = space + 1;
	}
	return *rest == ':' ? rest + 1 : NULL;
}

int np_parse_scan(char *rest, struct np_req_scan *req, struct np_err *err)
{
	static const char usage[] = "scan[:showhidden:<bool>][:@<atSign>][:page:<n>][ <regex>]";
	const char *fields;
	char *field, *value;

	memset(req, 0, sizeof(*req));
	fields = split_regex(rest, &req->regex);
	while ((field = next_field(&fields))) {
		if (*field == '@') {
			req->of = field;
			continue;
		}
		value = next_field(&fields);
		if (!value)
			return syntax(err, usage);
		if (!strcasecmp(field, "showhidden"))
			req->show_hidden = !strcasecmp(value, "true");
		else if (strcasecmp(field, "page"))
			return syntax(err, usage);
	}
	return 0;
}

int np_parse_monitor(char *rest, struct np_req_monitor *req, struct np_err *err)
{
	const char *fields;
	char *field;
	uint64_t ms;

	memset(req, 0, sizeof(*req));
	req->after_ms = -1;
	fields = split_regex(rest, &req->regex);
	while ((field = next_field(&fields))) {
		if (!strcasecmp(field, "strict"))
			req->strict = true;
		else if (!strcasecmp(field, "selfNotifications"))
			req->self = true;
		else if (!strcasecmp(field, "multiplexed"))
			req->multiplexed = true;
		else if (!np_str_u64(field, 0, INT64_MAX, &ms))
			req->after_ms = (int64_t)ms;
		else
			return syntax(err, "monitor[:strict][:selfNotifications][:multiplexed]"
					   "[:<epochMillis>][ <regex>]");
	}
	return 0;
}

int np_parse_delete(char *rest, char **key, struct np_err *err)
{
	struct np_meta ignored = {0};

	if (take_pairs(&rest, &ignored, err))
		return -EINVAL;
	if (!*rest || strchr(rest, ' '))
		return syntax(
			err, "delete:[priority:<p>:][cached:][public:|@<atSign>:]<key>[@<atSign>]");
	*key = rest;
	return 0;
}
