/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One command line into its parts, in place: separators become NUL bytes and every text points into
 * the line (atprotocol.md 8, 8.1, 10 to 15). Nothing here knows a connection or a store.
 */
#ifndef NP_ATSERVER_PARSE_H
#define NP_ATSERVER_PARSE_H

#include "atserver/meta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_err;

enum np_verb {
	NP_VERB_UNKNOWN,
	NP_VERB_EXIT,
	NP_VERB_FROM,
	NP_VERB_CRAM,
	NP_VERB_PKAM,
	NP_VERB_POL,
	NP_VERB_UPDATE,
	NP_VERB_UPDATE_META,
	NP_VERB_UPDATE_JSON,
	NP_VERB_LLOOKUP,
	NP_VERB_PLOOKUP,
	NP_VERB_LOOKUP,
	NP_VERB_SCAN,
	NP_VERB_DELETE,
	NP_VERB_MONITOR,
	NP_VERB_NOTIFY,
	NP_VERB_NOTIFY_STATUS,
	NP_VERB_NOTIFY_LIST,
	NP_VERB_NOTIFY_FETCH,
	NP_VERB_NOTIFY_REMOVE,
	NP_VERB_NOTIFY_ALL,
	NP_VERB_SYNC,
	NP_VERB_BATCH,
	NP_VERB_STATS,
	NP_VERB_CONFIG,
	NP_VERB_INFO,
	NP_VERB_NOOP,
	NP_VERB_ENROLL,
	NP_VERB_OTP,
	NP_VERB_KEYS,
	NP_VERB_NR,
};

/**
 * np_parse_verb() - which verb a line starts with.
 * @line: trimmed at its end in place; the verb's name is matched without regard to case or spaces
 * @rest: what follows the verb and its colon (monitor and scan: what follows the bare word)
 */
enum np_verb np_parse_verb(char *line, char **rest);
/** np_parse_utf8() - is the line well-formed UTF-8 without NUL or other control bytes than TAB? */
bool np_parse_utf8(const char *line, size_t len);

struct np_req_from {
	char *atsign;
	char *config; /* JSON text or NULL */
};

struct np_req_pkam {
	const char *signing, *hashing; /* NULL: the default */
	char *enrollment_id;	       /* NULL: legacy */
	char *signature;
};

/* update, and with meta_only update:meta, where value is NULL. */
struct np_req_update {
	struct np_meta meta;
	char *key;
	char *value;
};

/* lookup, plookup, llookup. */
struct np_req_lookup {
	bool bypass_cache, meta, all;
	bool follow;		   /* lookup: a value may name another key (10.5) */
	unsigned int nr_followed; /* references so far */
	char *key;
};

struct np_req_scan {
	bool show_hidden;
	char *of;    /* the atSign of scan:@x, or NULL */
	char *regex; /* or NULL */
};

struct np_req_notify {
	char *id; /* NULL: to be made */
	bool is_delete, is_text, is_latest;
	int64_t depth; /* latestN */
	const char *priority, *notifier;
	int64_t ttln_ms; /* 0: default */
	struct np_meta meta;
	char *to;    /* "@bob", or NULL for public */
	char *key;   /* name, or the text */
	char *owner; /* without @, or NULL */
	char *value; /* or NULL */
};

struct np_req_monitor {
	bool strict, self, multiplexed;
	int64_t after_ms; /* -1: no replay */
	char *regex;	  /* or NULL */
};

struct np_req_sync {
	int64_t after; /* -1: from the beginning */
	char *regex;   /* or NULL */
};

#define NP_STAT_NR 15
struct np_req_stats {
	uint16_t ids; /* bit n-1 is statistic n */
	char *regex;  /* or NULL */
};

struct np_req_notify_list {
	int64_t from_ms, until_ms; /* wall clock, [from, until) */
	char *regex;		   /* or NULL */
};

/* Each takes the rest that np_parse_verb() gave. Return: 0, or -EINVAL with what is wrong (AT0003).
 */
int np_parse_from(char *rest, struct np_req_from *req, struct np_err *err);
int np_parse_pkam(char *rest, struct np_req_pkam *req, struct np_err *err);
int np_parse_update(char *rest, struct np_req_update *req, struct np_err *err);
int np_parse_update_meta(char *rest, struct np_req_update *req, struct np_err *err);
int np_parse_lookup(char *rest, struct np_req_lookup *req, struct np_err *err);
int np_parse_scan(char *rest, struct np_req_scan *req, struct np_err *err);
int np_parse_notify(char *rest, struct np_req_notify *req, struct np_err *err);
int np_parse_monitor(char *rest, struct np_req_monitor *req, struct np_err *err);
int np_parse_sync(char *rest, struct np_req_sync *req, struct np_err *err);
int np_parse_stats(char *rest, struct np_req_stats *req, struct np_err *err);
int np_parse_notify_list(char *rest, struct np_req_notify_list *req, struct np_err *err);
/** np_parse_delete() - the key is what remains; "priority:x:" and the like are skipped. */
int np_parse_delete(char *rest, char **key, struct np_err *err);
/** np_parse_take() - cut the text in front of the next @sep off *@p. Return: it, or NULL without a
 * @sep. */
char *np_parse_take(char **p, char sep);

#endif
