// SPDX-License-Identifier: BSD-3-Clause
/* config: the block list; run-time settings of the published server exist in its tests only
 * (atprotocol.md 14). */
#include "atserver/block.h"
#include "atserver/internal.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <errno.h>
#include <string.h>

static const char usage[] = "Invalid syntax. config:block:(add|remove):<atSign>.. or config:block:show";

/* All names are checked before the first one changes anything. */
static int check_names(struct np_session *s, const char *list)
{
	struct np_err err = NP_ERR_INIT;
	char name[256], atsign[NP_ATSIGN_MAX];
	const char *item;
	size_t len, nr = 0;

	while ((item = np_str_next(&list, ' ', &len))) {
		if (!len)
			continue;
		nr++;
		if (np_str_copy_n(name, sizeof(name), item, len) ||
		    np_atsign_parse(name, atsign, &err)) {
			np_respond_error(s, "AT0003", "Invalid syntax. %s",
					 err.msg[0] ? err.msg : "atSign is too long");
			return -1;
		}
		if (!strcmp(atsign, s->tenant->name)) {
			np_respond_error(s, "AT0022", "%s cannot block itself", atsign);
			return -1;
		}
	}
	if (nr)
		return 0;
	np_respond_error(s, "AT0003", "%s", usage);
	return -1;
}

static void change(struct np_session *s, const char *list, bool add)
{
	char name[256], atsign[NP_ATSIGN_MAX];
	const char *item;
	size_t len;
	int ret = 0;

	if (check_names(s, list))
		return;
	while (!ret && (item = np_str_next(&list, ' ', &len))) {
		if (!len)
			continue;
		np_str_copy_n(name, sizeof(name), item, len);
		np_atsign_parse(name, atsign, NULL);
		ret = np_block_change(s->tenant, atsign, add);
	}
	if (ret == -ENOSPC && !s->srv->turn.failed)
		np_respond_error(s, "AT0022", "the block list is full");
	else if (ret)
		np_respond_store(s);
	else
		np_respond_str(s, "success");
}

static void show(struct np_session *s)
{
	struct np_json *list = np_block_list(s->tenant);

	if (list && !np_json_len(list)) {
		np_json_put(list);
		np_respond_str(s, "null");
		return;
	}
	np_respond_json(s, list);
}

void np_verb_config(struct np_session *s, char *rest)
{
	if (np_str_starts(rest, "block:add:"))
		change(s, rest + strlen("block:add:"), true);
	else if (np_str_starts(rest, "block:remove:"))
		change(s, rest + strlen("block:remove:"), false);
	else if (!strcmp(rest, "block:show"))
		show(s);
	else if (np_str_starts(rest, "set:") || np_str_starts(rest, "reset:") ||
		 np_str_starts(rest, "print:"))
		np_respond_str(s, "testing mode disabled by default");
	else
		np_respond_error(s, "AT0003", "%s", usage);
}
