// SPDX-License-Identifier: BSD-3-Clause
/* The arguments of sync, stats and notify:list (atprotocol.md 11.4, 13.2, 14). */
#include "atserver/parse.h"

#include "base/err.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY_MS 86400000ll

static int syntax(struct np_err *err, const char *usage)
{
	return np_fail(err, -EINVAL, "Invalid syntax. %s", usage);
}

/* "-1" or a commit id. */
static int take_commit_id(const char *text, int64_t *out)
{
	uint64_t id;

	*out = -1;
	if (!strcmp(text, "-1"))
		return 0;
	if (np_str_u64(text, 0, INT64_MAX, &id))
		return -EINVAL;
	*out = (int64_t)id;
	return 0;
}

int np_parse_sync(char *rest, struct np_req_sync *req, struct np_err *err)
{
	static const char usage[] = "sync:from:<commitId>:limit:<n>[:<regex>]";
	char *from = np_parse_take(&rest, ':'), *word, *limit;
	uint64_t ignored;

	memset(req, 0, sizeof(*req));
	word = from ? np_parse_take(&rest, ':') : NULL;
	if (!word || strcasecmp(word, "limit") || take_commit_id(from, &req->after))
		return syntax(err, usage);
	limit = np_parse_take(&rest, ':');
	if (limit && *rest)
		req->regex = rest;
	/* The server has a limit of its own; the client's has to be a number all the same. */
	if (np_str_u64(limit ? limit : rest, 0, UINT32_MAX, &ignored))
		return syntax(err, usage);
	return 0;
}

/* ":1,3[:regex]"; without ids all are meant. */
int np_parse_stats(char *rest, struct np_req_stats *req, struct np_err *err)
{
	static const char usage[] = "stats[:<id>[,<id>..]][:<regex>]";
	const char *list, *item;
	char *ids = rest + 1;
	uint64_t id;
	size_t len;

	memset(req, 0, sizeof(*req));
	req->ids = (1u << NP_STAT_NR) - 1;
	if (!*rest)
		return 0;
	if (*rest != ':' || !*ids)
		return syntax(err, usage);
	rest = strchr(ids, ':');
	if (rest) {
		*rest = '\0';
		req->regex = rest[1] ? rest + 1 : NULL;
	}
	req->ids = 0;
	for (list = ids; (item = np_str_next(&list, ',', &len));) {
		char number[8];

		if (np_str_copy_n(number, sizeof(number), item, len) ||
		    np_str_u64(number, 1, NP_STAT_NR, &id))
			return syntax(err, usage);
		req->ids |= (uint16_t)(1u << (id - 1));
	}
	if (req->regex && req->ids != 1u << 2 && req->ids != 1u << 14)
		return syntax(err, "a regex goes with statistic 3 or 15 alone");
	return 0;
}

static bool is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";
	size_t i;

	for (i = 0; form[i]; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != '-')
			return false;
	return text[i] == '\0' || text[i] == ':';
}

/* Takes "yyyy-mm-dd[:]" off the front. Return: 1 taken, 0 when it is something else, -EINVAL. */
static int take_date(char **p, int64_t *ms)
{
	struct tm tm = {0};

	if (!is_date(*p))
		return 0;
	if (!strptime(*p, "%Y-%m-%d", &tm))
		return -EINVAL;
	*ms = (int64_t)timegm(&tm) * 1000;
	*p += strlen("yyyy-mm-dd");
	if (**p == ':')
		++*p;
	return 1;
}

int np_parse_notify_list(char *rest, struct np_req_notify_list *req, struct np_err *err)
{
	int ret;

	memset(req, 0, sizeof(*req));
	req->until_ms = INT64_MAX;
	if (!*rest)
		return 0;
	rest++; /* the colon, or a blank in front of the regex */
	ret = take_date(&rest, &req->from_ms);
	if (ret > 0) {
		ret = take_date(&rest, &req->until_ms);
		if (ret > 0)
			req->until_ms += DAY_MS;
	}
	if (ret < 0)
		return np_fail(err, -EINVAL, "Invalid syntax. dates are yyyy-mm-dd");
	req->regex = *rest ? rest : NULL;
	return 0;
}
