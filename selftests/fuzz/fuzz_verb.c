// SPDX-License-Identifier: BSD-3-Clause
/* Every parser of a command line, on any line; what was parsed as a key or a regular expression is
 * used too. */
#include "atserver/key.h"
#include "atserver/parse.h"
#include "atserver/regex.h"
#include "base/err.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void try_key(const char *text)
{
	struct np_key key;

	if (text && !np_key_parse(text, "@alice", &key, NULL) && !key.text[0])
		abort();
}

static void try_regex(const char *text)
{
	struct np_regex *regex;

	if (np_regex_new(text ? text : "", &regex, NULL))
		return;
	np_regex_match(regex, "@alice:ping.default.sshnp@bob");
	np_regex_free(regex);
}

static void try_verb(enum np_verb verb, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	union {
		struct np_req_from from;
		struct np_req_pkam pkam;
		struct np_req_update update;
		struct np_req_lookup lookup;
		struct np_req_scan scan;
		struct np_req_notify notify;
		struct np_req_monitor monitor;
		struct np_req_sync sync;
		struct np_req_stats stats;
		struct np_req_notify_list list;
	} req;
	char *key;

	switch (verb) {
	case NP_VERB_FROM:
		np_parse_from(rest, &req.from, &err);
		break;
	case NP_VERB_PKAM:
		np_parse_pkam(rest, &req.pkam, &err);
		break;
	case NP_VERB_UPDATE:
		if (!np_parse_update(rest, &req.update, &err))
			try_key(req.update.key);
		break;
	case NP_VERB_UPDATE_META:
		if (!np_parse_update_meta(rest, &req.update, &err))
			try_key(req.update.key);
		break;
	case NP_VERB_LOOKUP:
	case NP_VERB_PLOOKUP:
	case NP_VERB_LLOOKUP:
		if (!np_parse_lookup(rest, &req.lookup, &err))
			try_key(req.lookup.key);
		break;
	case NP_VERB_SCAN:
		if (!np_parse_scan(rest, &req.scan, &err))
			try_regex(req.scan.regex);
		break;
	case NP_VERB_MONITOR:
		if (!np_parse_monitor(rest, &req.monitor, &err))
			try_regex(req.monitor.regex);
		break;
	case NP_VERB_SYNC:
		if (!np_parse_sync(rest, &req.sync, &err))
			try_regex(req.sync.regex);
		break;
	case NP_VERB_STATS:
		if (!np_parse_stats(rest, &req.stats, &err))
			try_regex(req.stats.regex);
		break;
	case NP_VERB_NOTIFY_LIST:
		if (!np_parse_notify_list(rest, &req.list, &err))
			try_regex(req.list.regex);
		break;
	case NP_VERB_NOTIFY_ALL:
	case NP_VERB_NOTIFY:
		np_parse_notify(rest, &req.notify, &err);
		break;
	case NP_VERB_DELETE:
		if (!np_parse_delete(rest, &key, &err))
			try_key(key);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1), *rest;
	enum np_verb verb;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (np_parse_utf8(line, size)) {
		verb = np_parse_verb(line, &rest);
		try_verb(verb, rest);
	}
	free(line);
	return 0;
}
