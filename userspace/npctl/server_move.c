// SPDX-License-Identifier: BSD-3-Clause
/*
 * npctl server export, import: one atSign with everything that it has, as lines of JSON. The first
 * line names the format and the atSign, the last one counts the others, so that a file that was cut
 * off is known. Commit ids are kept: clients remember up to where they have synchronised.
 */
#include "npctl.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/str.h"
#include "json/json.h"
#include "server.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "knp-atsign-1"
#define PER_COMMIT 200 /* a running server must not wait long for its turn to write */

struct out {
	FILE *file;
	struct np_store *store;
	const char *atsign;
	int64_t nr;
	int ret;
};

/* Takes @json. */
static bool put_line(struct out *out, struct np_json *json, bool good)
{
	struct np_buf line = NP_BUF_INIT;

	if (!json || !good || np_json_write(json, &line) || np_buf_append_str(&line, "\n"))
		out->ret = -ENOMEM;
	else if (fwrite(line.data, 1, line.len, out->file) != line.len)
		out->ret = -errno;
	if (line.data)
		np_wipe(line.data, line.len);
	np_buf_fini(&line);
	np_json_put(json);
	out->nr++;
	return !out->ret;
}

static bool put_record(const char *key, const struct np_record *rec, void *arg)
{
	struct np_json *json = np_json_obj();

	return put_line(arg, json,
			json && !np_json_set_str(json, "key", key) &&
				!np_json_set_str(json, "value", rec->value) &&
				!np_json_set_str(json, "meta", rec->meta) &&
				!np_json_set_int(json, "createdAt", rec->created_at) &&
				!np_json_set_int(json, "updatedAt", rec->updated_at) &&
				!np_json_set_int(json, "availableAt", rec->available_at) &&
				!np_json_set_int(json, "expiresAt", rec->expires_at) &&
				!np_json_set_int(json, "refreshAt", rec->refresh_at) &&
				!np_json_set_int(json, "version", rec->version));
}

static bool put_log(const struct np_log_entry *entry, void *arg)
{
	const char op[2] = {entry->op, '\0'};
	struct np_json *json = np_json_obj();

	return put_line(arg, json,
			json && !np_json_set_str(json, "log", entry->key) &&
				!np_json_set_int(json, "commitId", entry->commit_id) &&
				!np_json_set_str(json, "op", op));
}

static bool put_note(const struct np_note *note, void *arg)
{
	struct np_json *json = np_json_obj();

	return put_line(arg, json,
			json && !np_json_set_str(json, "note", note->id) &&
				!np_json_set_str(json, "from", note->from) &&
				!np_json_set_str(json, "to", note->to) &&
				!np_json_set_str(json, "key", note->key) &&
				!np_json_set_str(json, "value", note->value) &&
				!np_json_set_str(json, "op", note->op) &&
				!np_json_set_str(json, "type", note->type) &&
				!np_json_set_str(json, "meta", note->meta) &&
				!np_json_set_int(json, "dir", note->dir) &&
				!np_json_set_int(json, "status", note->status) &&
				!np_json_set_int(json, "epoch", note->epoch_ms) &&
				!np_json_set_int(json, "expiresAt", note->expires_at) &&
				!np_json_set_int(json, "retries", note->retries));
}

static int put_all(struct out *out, struct np_err *err)
{
	const struct np_store_ops *ops = out->store->ops;
	struct np_json *head = np_json_obj(), *tail;
	int64_t nr;
	int ret, dir;

	put_line(out, head, head && !np_json_set_str(head, "format", FORMAT) &&
				    !np_json_set_str(head, "atsign", out->atsign));
	out->nr = 0;
	ret = ops->scan(out->store, out->atsign, "", put_record, out);
	if (!ret)
		ret = ops->log_list(out->store, out->atsign, -1, false, put_log, out);
	for (dir = NP_NOTE_RECEIVED; !ret && dir <= NP_NOTE_SELF; dir++)
		ret = ops->note_list(out->store, out->atsign, (enum np_note_dir)dir, -1, 0,
				     put_note, out);
	nr = out->nr;
	tail = np_json_obj();
	put_line(out, tail, tail && !np_json_set_int(tail, "lines", nr));
	out->nr = nr;
	if (!ret)
		ret = out->ret;
	if (!ret && (fflush(out->file) || fsync(fileno(out->file))))
		ret = -errno;
	return ret ? np_fail_errno(err, ret, "%s: cannot export", out->atsign) : 0;
}

static int export_to(struct realm *realm, const char *atsign, const char *path, struct np_err *err)
{
	struct out out = {.store = realm->store, .atsign = atsign};
	int fd, ret;

	ret = realm_hosts(realm, atsign, err);
	if (ret <= 0)
		return ret ? ret : np_fail(err, -ENOENT, "%s: is not hosted there", atsign);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	out.file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out.file) {
		ret = np_fail_errno(err, errno, "%s: cannot create", path);
		np_fd_close(&fd);
		return ret;
	}
	ret = realm->store->ops->begin_read(realm->store, err);
	if (!ret) {
		ret = put_all(&out, err);
		realm->store->ops->end_read(realm->store);
	}
	if (fclose(out.file) && !ret)
		ret = np_fail_errno(err, errno, "%s: cannot write", path);
	if (ret)
		unlink(path);
	else
		printf("%s: %lld entries in %s; whoever has this file can be %s\n", atsign,
		       (long long)out.nr, path, atsign);
	return ret;
}

int npctl_server_export(void *conf, const struct cli_parse *parse)
{
	struct np_err err = NP_ERR_INIT;
	char atsign[NP_ATSIGN_MAX];
	struct realm realm;
	int ret;

	(void)conf;
	ret = server_open(&realm, parse->args[0], true, &err);
	if (!ret)
		ret = np_atsign_parse(parse->args[1], atsign, &err);
	if (!ret)
		ret = export_to(&realm, atsign, parse->args[2], &err);
	realm_close(&realm);
	return ret ? npctl_fail(&err) : 0;
}

struct in {
	FILE *file;
	const char *path;
	struct realm *realm;
	struct np_store *store;
	char atsign[NP_ATSIGN_MAX];
	char *line;
	size_t size;
	int64_t nr;
};

/* Return: the object of the next line, or NULL with @err. */
static struct np_json *next(struct in *in, struct np_err *err)
{
	ssize_t len = getline(&in->line, &in->size, in->file);

	if (len <= 0) {
		np_fail(err, -EBADMSG, "%s: ends too early, nothing was taken over", in->path);
		return NULL;
	}
	return np_json_parse(in->line, (size_t)len, in->path, err);
}

static int take_record(struct in *in, const struct np_json *json, struct np_err *err)
{
	const char *value = np_json_str(json, "value");
	struct np_record rec = {.value = value,
				.value_len = value ? strlen(value) : 0,
				.meta = np_json_str(json, "meta"),
				.created_at = np_json_int(json, "createdAt", 0),
				.updated_at = np_json_int(json, "updatedAt", 0),
				.available_at = np_json_int(json, "availableAt", 0),
				.expires_at = np_json_int(json, "expiresAt", 0),
				.refresh_at = np_json_int(json, "refreshAt", 0),
				.version = np_json_int(json, "version", 0)};

	if (!value)
		return np_fail(err, -EBADMSG, "%s: entry %lld is malformed", in->path,
			       (long long)in->nr);
	return in->store->ops->put(in->store, in->atsign, np_json_str(json, "key"), &rec, err);
}

static int take_log(struct in *in, const struct np_json *json, struct np_err *err)
{
	const char *op = np_json_str(json, "op");
	struct np_log_entry entry = {.key = np_json_str(json, "log"),
				     .commit_id = np_json_int(json, "commitId", -1)};

	if (!op || strlen(op) != 1 || !strchr("+#*-", *op) || entry.commit_id < 0)
		return np_fail(err, -EBADMSG, "%s: entry %lld is malformed", in->path,
			       (long long)in->nr);
	entry.op = *op;
	return in->store->ops->log_put(in->store, in->atsign, &entry, err);
}

static int take_note(struct in *in, const struct np_json *json, struct np_err *err)
{
	struct np_note note = {.id = np_json_str(json, "note"),
			       .from = np_json_str(json, "from"),
			       .to = np_json_str(json, "to"),
			       .key = np_json_str(json, "key"),
			       .value = np_json_str(json, "value"),
			       .op = np_json_str(json, "op"),
			       .type = np_json_str(json, "type"),
			       .meta = np_json_str(json, "meta"),
			       .dir = (enum np_note_dir)np_json_int(json, "dir", -1),
			       .status = (enum np_note_status)np_json_int(json, "status", -1),
			       .epoch_ms = np_json_int(json, "epoch", 0),
			       .expires_at = np_json_int(json, "expiresAt", 0),
			       .retries = np_json_int(json, "retries", 0)};
	int64_t seq;

	if (!note.from || !note.to || !note.key || !note.op || !note.type || !note.meta ||
	    (int)note.dir < 0 || note.dir > NP_NOTE_SELF || (int)note.status < 0 ||
	    note.status > NP_NOTE_EXPIRED)
		return np_fail(err, -EBADMSG, "%s: entry %lld is malformed", in->path,
			       (long long)in->nr);
	return in->store->ops->note_put(in->store, in->atsign, &note, &seq, err);
}

/* Return: 1 taken, 0 that was the last line, negative errno. */
static int take_line(struct in *in, struct np_err *err)
{
	struct np_json *json = next(in, err);
	int ret;

	if (!json)
		return -EBADMSG;
	if (np_json_str(json, "note"))
		ret = take_note(in, json, err);
	else if (np_json_str(json, "log"))
		ret = take_log(in, json, err);
	else if (np_json_str(json, "key"))
		ret = take_record(in, json, err);
	else if (np_json_int(json, "lines", -1) == in->nr)
		ret = 1;
	else
		ret = np_fail(err, -EBADMSG, "%s: entry %lld is malformed", in->path,
			      (long long)in->nr);
	np_json_put(json);
	if (ret == 1)
		return 0;
	in->nr++;
	return ret ? ret : 1;
}

static int take_portion(struct in *in, struct np_err *err)
{
	unsigned int nr = 0;
	int ret;

	ret = in->store->ops->begin(in->store, err);
	if (ret)
		return ret;
	do {
		ret = take_line(in, err);
	} while (ret > 0 && ++nr < PER_COMMIT);
	if (ret < 0) {
		in->store->ops->rollback(in->store);
		return ret;
	}
	return in->store->ops->commit(in->store, err) ? err->code : ret;
}

static int take_head(struct in *in, struct np_err *err)
{
	struct np_json *json = next(in, err);
	const char *format = np_json_str(json, "format"), *atsign = np_json_str(json, "atsign");
	int ret;

	if (!format || strcmp(format, FORMAT) || !atsign)
		ret = np_fail(err, -EBADMSG, "%s: is no export of an atSign", in->path);
	else
		ret = np_atsign_parse(atsign, in->atsign, err);
	np_json_put(json);
	return ret;
}

static int import_from(struct in *in, struct np_err *err)
{
	struct np_dir_entry entry = {
		.atsign = in->atsign, .host = in->realm->host, .port = in->realm->port};
	int ret = take_head(in, err);

	if (!ret)
		ret = realm_hosts(in->realm, in->atsign, err);
	if (ret > 0)
		ret = np_fail(err, -EEXIST, "%s: is hosted there already, nothing was changed",
			      in->atsign);
	if (ret)
		return ret;
	/* What an import that was interrupted has left. Nobody is served from it without an entry. */
	ret = in->store->ops->purge(in->store, in->atsign, err);
	if (!ret) {
		do {
			ret = take_portion(in, err);
		} while (ret > 0);
	}
	if (!ret)
		ret = in->store->ops->dir_put(in->store, &entry, true, err);
	if (ret)
		in->store->ops->purge(in->store, in->atsign, NULL);
	return ret;
}

int npctl_server_import(void *conf, const struct cli_parse *parse)
{
	struct np_err err = NP_ERR_INIT;
	struct realm realm;
	struct in in = {.path = parse->args[1], .realm = &realm};
	int fd = -1, ret;

	(void)conf;
	ret = realm_open(&realm, parse->args[0], false, &err);
	if (!ret) {
		fd = np_fd_open_private(in.path, &err);
		in.file = fd < 0 ? NULL : fdopen(fd, "r");
		ret = in.file ? 0 : fd < 0 ? fd : np_fail(&err, -ENOMEM, "out of memory");
	}
	in.store = realm.store;
	if (!ret)
		ret = import_from(&in, &err);
	if (in.file)
		fclose(in.file);
	else
		np_fd_close(&fd);
	if (in.line)
		np_wipe(in.line, in.size);
	free(in.line);
	if (!ret)
		printf("%s: %lld entries taken over, served at %s; take it out of its former server\n",
		       in.atsign, (long long)in.nr, realm.host);
	realm_close(&realm);
	return ret ? npctl_fail(&err) : 0;
}
