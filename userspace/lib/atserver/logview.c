// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/logview.h"

#include "atserver/access.h"
#include "atserver/internal.h"
#include "atserver/regex.h"
#include "atserver/turn.h"
#include "base/str.h"
#include "store/store.h"

#include <string.h>

int np_logview_init(struct np_logview *view, struct np_session *s, const char *regex,
		    struct np_err *err)
{
	view->s = s;
	return np_regex_new(regex ? regex : "", &view->regex, err);
}

void np_logview_fini(struct np_logview *view)
{
	np_regex_free(view->regex);
}

/* Clients need the keys for encryption whatever they filter by. */
static bool is_always_sent(const char *key)
{
	return strstr(key, "shared_key") || np_str_starts(key, "public:publickey@") ||
	       (np_str_starts(key, "public:") && !strchr(key, '.'));
}

struct each {
	const struct np_logview *view;
	bool (*fn)(const struct np_log_entry *entry, void *arg);
	void *arg;
};

static bool filter(const struct np_log_entry *entry, void *arg)
{
	const struct each *each = arg;
	const struct np_logview *view = each->view;

	if (!np_access_log(view->s, entry->key))
		return true;
	if (!np_regex_match(view->regex, entry->key) && !is_always_sent(entry->key))
		return true;
	return each->fn(entry, each->arg);
}

int np_logview_each(const struct np_logview *view, int64_t after, bool newest_first,
		    bool (*fn)(const struct np_log_entry *entry, void *arg), void *arg)
{
	struct np_store *store = view->s->srv->store;
	struct each each = {.view = view, .fn = fn, .arg = arg};

	np_turn_read(view->s->srv);
	return store->ops->log_list(store, view->s->tenant->name, after, newest_first, filter,
				    &each);
}
