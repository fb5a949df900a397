// SPDX-License-Identifier: BSD-3-Clause
/* sync:from: the newest change of each key behind a commit id (atprotocol.md 13.2). */
#include "atserver/internal.h"
#include "atserver/logview.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/buf.h"
#include "base/err.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>

#define ENTRIES_MAX 25
#define BYTES_MAX 5242880

struct sync {
	struct np_tenant *tenant;
	struct np_buf out; /* "[" and the entries so far */
	unsigned int nr;
	bool failed;
};

/* In sync every value of the metadata is text. */
static bool put_as_text(const char *name, const struct np_json *value, void *arg)
{
	const char *text = np_json_str_value(value);
	struct np_buf buf = NP_BUF_INIT;
	bool good = text || !np_json_write(value, &buf);

	good = good && !np_json_set_str(arg, name, text ? text : np_buf_str(&buf));
	np_buf_fini(&buf);
	return good;
}

static int put_record(struct sync *sync, struct np_json *json, const struct np_record *stored)
{
	struct np_json *meta, *texts = np_json_obj();
	struct np_rec rec;
	int ret;

	if (np_rec_copy(stored, &rec)) {
		np_json_put(texts);
		return -ENOMEM;
	}
	meta = np_rec_meta_json(sync->tenant, &rec);
	ret = meta && texts ? np_json_set_str(json, "value", rec.value) : -ENOMEM;
	np_rec_fini(&rec);
	if (ret) {
		np_json_put(meta);
		np_json_put(texts);
		return ret;
	}
	np_json_each(meta, put_as_text, texts);
	np_json_put(meta);
	return np_json_set(json, "metadata", texts);
}

static int put_entry(struct sync *sync, const struct np_log_entry *entry, struct np_buf *text)
{
	const struct np_record *rec = entry->op == '-' ? NULL : entry->rec;
	const char op[2] = {entry->op, '\0'};
	struct np_json *json = np_json_obj();
	int ret = -ENOMEM;

	if (json && !np_json_set_str(json, "atKey", entry->key) &&
	    !(rec ? put_record(sync, json, rec)
		  : np_json_set_null(json, "value") || np_json_set_null(json, "metadata")) &&
	    !np_json_set_int(json, "commitId", entry->commit_id) &&
	    !np_json_set_str(json, "operation", op))
		ret = np_json_write(json, text);
	np_json_put(json);
	return ret;
}

/* At least one entry is sent however large it is: the client would stand still otherwise. */
static bool take(const struct np_log_entry *entry, void *arg)
{
	struct sync *sync = arg;
	struct np_buf text = NP_BUF_INIT;
	bool fits;

	sync->failed = put_entry(sync, entry, &text) != 0;
	fits = !sync->nr || sync->out.len + text.len < BYTES_MAX;
	if (!sync->failed && fits)
		sync->failed = np_buf_append_str(&sync->out, sync->nr ? "," : "[") ||
			       np_buf_append(&sync->out, text.data, text.len);
	np_buf_fini(&text);
	return !sync->failed && fits && ++sync->nr < ENTRIES_MAX;
}

void np_verb_sync(struct np_session *s, char *rest)
{
	struct sync sync = {.tenant = s->tenant};
	struct np_err err = NP_ERR_INIT;
	struct np_logview view;
	struct np_req_sync req;

	if (np_parse_sync(rest, &req, &err) || np_logview_init(&view, s, req.regex, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	if (np_logview_each(&view, req.after, false, take, &sync) || sync.failed ||
	    np_buf_append_str(&sync.out, sync.nr ? "]" : "[]"))
		np_respond_error(s, "AT0010", "cannot read the commit log");
	else
		np_respond_data(s, sync.out.data, sync.out.len);
	np_buf_fini(&sync.out);
	np_logview_fini(&view);
}
