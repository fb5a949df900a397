// SPDX-License-Identifier: BSD-3-Clause
#include "store/store.h"

#include "base/err.h"
#include "harness/ktap.h"
#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[PATH_MAX], path[PATH_MAX + 16];
static struct np_store *store;

static void open_store(void)
{
	struct np_err err = NP_ERR_INIT;

	if (np_store_open_sqlite(path, false, &store, &err)) {
		printf("Bail out! %s\n", err.msg);
		exit(1);
	}
}

static void reopen_store(void)
{
	np_store_close(store);
	open_store();
}

/* A fresh folder per case, so that no case sees another's rows. */
static void fresh(void)
{
	char cmd[PATH_MAX + 32];

	np_store_close(store);
	store = NULL;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (system(cmd) || mkdir(dir, 0700))
		exit(1);
	open_store();
}

static int put(const char *tenant, const char *key, const char *value, int64_t expires_at)
{
	struct np_record rec = {.value = value,
				.value_len = strlen(value),
				.meta = "{\"a\":1}",
				.created_at = 10,
				.updated_at = 20,
				.available_at = 30,
				.expires_at = expires_at,
				.refresh_at = -1,
				.version = 3};

	return store->ops->put(store, tenant, key, &rec, NULL);
}

struct seen {
	char text[512];
	struct np_record rec;
	int nr, stop_after;
	int64_t seq;
};

static bool see_record(const char *key, const struct np_record *rec, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s=%s;", key, rec->value);
	seen->rec = *rec;
	return ++seen->nr != seen->stop_after;
}

static bool see_note(const struct np_note *note, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s/%s/%d/%lld;", note->id,
		 note->value ? note->value : "-", note->status, (long long)note->retries);
	seen->seq = note->seq;
	return ++seen->nr != seen->stop_after;
}

static bool see_entry(const struct np_dir_entry *entry, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s %s:%u%s;", entry->atsign,
		 entry->host, entry->port, entry->hosted ? "*" : "");
	return ++seen->nr != seen->stop_after;
}

static void record_comes_back_whole(void)
{
	struct seen seen = {0};

	fresh();
	KTAP_EQ(put("@a", "x.ns@a", "v\xc3\xa9", 99), 0);
	reopen_store();
	KTAP_EQ(store->ops->get(store, "@a", "x.ns@a", see_record, &seen), 0);
	KTAP_STREQ(seen.text, "x.ns@a=v\xc3\xa9;");
	KTAP_EQ(seen.rec.created_at, 10);
	KTAP_EQ(seen.rec.updated_at, 20);
	KTAP_EQ(seen.rec.available_at, 30);
	KTAP_EQ(seen.rec.expires_at, 99);
	KTAP_EQ(seen.rec.refresh_at, -1);
	KTAP_EQ(seen.rec.version, 3);
	KTAP_EQ(store->ops->get(store, "@b", "x.ns@a", see_record, &seen), -ENOENT);
	KTAP_EQ(store->ops->del(store, "@a", "x.ns@a", NULL), 0);
	KTAP_EQ(store->ops->del(store, "@a", "x.ns@a", NULL), -ENOENT);
	KTAP_EQ(store->ops->get(store, "@a", "x.ns@a", see_record, &seen), -ENOENT);
}

static void empty_and_large_values(void)
{
	struct np_record rec = {.value = NULL};
	struct seen seen = {0};
	size_t len = 3 << 20;
	char *big = malloc(len + 1);

	fresh();
	KTAP_EQ(store->ops->put(store, "@a", "none", &rec, NULL), 0);
	KTAP_EQ(store->ops->get(store, "@a", "none", see_record, &seen), 0);
	KTAP_STREQ(seen.text, "none=;");
	KTAP_EQ(seen.rec.value_len, 0);
	memset(big, 'x', len);
	big[len] = '\0';
	KTAP_EQ(put("@a", "big", big, 0), 0);
	KTAP_EQ(store->ops->get(store, "@a", "big", see_record, &seen), 0);
	KTAP_EQ(seen.rec.value_len, len);
	free(big);
}

static void scan_is_in_byte_order(void)
{
	struct seen all = {0}, some = {0}, two = {.stop_after = 2}, high = {0};

	fresh();
	put("@a", "b", "2", 0);
	put("@a", "ab", "1", 0);
	put("@a",
	    "a\xff"
	    "b",
	    "5", 0);
	put("@a", "a", "0", 0);
	put("@a", "\xff\xff", "7", 0);
	put("@c", "a", "9", 0);
	KTAP_EQ(store->ops->scan(store, "@a", "", see_record, &all), 0);
	KTAP_STREQ(all.text, "a=0;ab=1;a\xff"
			     "b=5;b=2;\xff\xff=7;");
	KTAP_EQ(store->ops->scan(store, "@a", "a", see_record, &some), 0);
	KTAP_STREQ(some.text, "a=0;ab=1;a\xff"
			      "b=5;");
	KTAP_EQ(store->ops->scan(store, "@a", "a", see_record, &two), 0);
	KTAP_EQ(two.nr, 2);
	KTAP_EQ(store->ops->scan(store, "@a", "\xff", see_record, &high), 0);
	KTAP_STREQ(high.text, "\xff\xff=7;");
}

/* A visitor may look up and change while its scan goes on. */
static bool touch(const char *key, const struct np_record *rec, void *arg)
{
	struct seen inner = {0};

	(void)rec;
	KTAP_EQ(store->ops->scan(store, "@a", key, see_record, &inner), 0);
	KTAP_OK(inner.nr >= 1);
	KTAP_EQ(store->ops->del(store, "@a", key, NULL), 0);
	(*(int *)arg)++;
	return true;
}

static void visitor_may_use_the_store(void)
{
	struct seen seen = {0};
	int nr = 0;

	fresh();
	put("@a", "k1", "1", 0);
	put("@a", "k2", "2", 0);
	put("@a", "k3", "3", 0);
	KTAP_EQ(store->ops->scan(store, "@a", "", touch, &nr), 0);
	KTAP_EQ(nr, 3);
	KTAP_EQ(store->ops->scan(store, "@a", "", see_record, &seen), 0);
	KTAP_EQ(seen.nr, 0);
}

static void rollback_undoes_all(void)
{
	struct seen seen = {0};
	int64_t id = 7;

	fresh();
	KTAP_EQ(store->ops->begin(store, NULL), 0);
	KTAP_EQ(store->ops->begin(store, NULL), -EINVAL);
	put("@a", "k", "1", 0);
	store->ops->log_append(store, "@a", "k", '+', &id, NULL);
	KTAP_EQ(id, 0);
	store->ops->rollback(store);
	KTAP_EQ(store->ops->get(store, "@a", "k", see_record, &seen), -ENOENT);
	KTAP_EQ(store->ops->log_last(store, "@a", &id), 0);
	KTAP_EQ(id, -1);
	KTAP_EQ(store->ops->begin(store, NULL), 0);
	put("@a", "k", "2", 0);
	KTAP_EQ(store->ops->commit(store, NULL), 0);
	KTAP_EQ(store->ops->commit(store, NULL), -EINVAL);
	KTAP_EQ(store->ops->get(store, "@a", "k", see_record, &seen), 0);
	KTAP_STREQ(seen.text, "k=2;");
}

static void commit_ids_count_per_tenant(void)
{
	int64_t id = -5;

	fresh();
	KTAP_EQ(store->ops->log_append(store, "@a", "k", '+', &id, NULL), 0);
	KTAP_EQ(id, 0);
	KTAP_EQ(store->ops->log_append(store, "@a", "k", '*', &id, NULL), 0);
	KTAP_EQ(id, 1);
	KTAP_EQ(store->ops->log_append(store, "@b", "k", '+', &id, NULL), 0);
	KTAP_EQ(id, 0);
	reopen_store();
	KTAP_EQ(store->ops->log_append(store, "@a", "j", '-', &id, NULL), 0);
	KTAP_EQ(id, 2);
	KTAP_EQ(store->ops->log_last(store, "@a", &id), 0);
	KTAP_EQ(id, 2);
}

static bool note_expired(const char *tenant, const char *key, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);
	int64_t id;

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s %s;", tenant, key);
	KTAP_EQ(store->ops->log_append(store, tenant, key, '-', &id, NULL), 0);
	return ++seen->nr != seen->stop_after;
}

static bool see_log(const struct np_log_entry *entry, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%lld%c%s=%s;",
		 (long long)entry->commit_id, entry->op, entry->key,
		 entry->rec ? entry->rec->value : "-");
	return ++seen->nr != seen->stop_after;
}

static void log_lists_the_newest_per_key(void)
{
	struct seen up = {0}, down = {.stop_after = 1}, none = {0}, other = {0};
	struct np_store_usage usage;
	int64_t id;

	fresh();
	KTAP_EQ(put("@a", "x@a", "1", 0) | put("@a", "y@a", "22", 0), 0);
	store->ops->log_append(store, "@a", "x@a", '*', &id, NULL);
	store->ops->log_append(store, "@a", "y@a", '*', &id, NULL);
	store->ops->log_append(store, "@a", "z@a", '-', &id, NULL);
	store->ops->log_append(store, "@a", "x@a", '#', &id, NULL);
	store->ops->log_append(store, "@b", "x@b", '*', &id, NULL);
	KTAP_EQ(store->ops->log_list(store, "@a", 0, false, see_log, &up), 0);
	KTAP_STREQ(up.text, "1*y@a=22;2-z@a=-;3#x@a=1;");
	KTAP_EQ(store->ops->log_list(store, "@a", -1, true, see_log, &down), 0);
	KTAP_STREQ(down.text, "3#x@a=1;");
	KTAP_EQ(store->ops->log_list(store, "@a", 3, false, see_log, &none), 0);
	KTAP_EQ(none.nr, 0);
	KTAP_EQ(store->ops->log_list(store, "@b", -1, false, see_log, &other), 0);
	KTAP_STREQ(other.text, "0*x@b=-;");
	KTAP_EQ(store->ops->usage(store, "@a", &usage), 0);
	KTAP_EQ(usage.nr_keys, 2);
	KTAP_EQ(usage.nr_bytes, 2 * (3 + 7) + 3);
	KTAP_EQ(usage.nr_notes, 0);
	KTAP_EQ(store->ops->usage(store, "@none", &usage), 0);
	KTAP_EQ(usage.nr_keys, 0);
}

static void expiry_takes_only_what_is_due(void)
{
	struct seen seen = {0}, left = {0};
	int64_t id = -1;

	fresh();
	put("@a", "never", "1", 0);
	put("@a", "due2", "2", 200);
	put("@b", "due1", "3", 100);
	put("@a", "later", "4", 201);
	KTAP_EQ(store->ops->expire(store, 200, 1, note_expired, &seen, NULL), 0);
	KTAP_STREQ(seen.text, "@b due1;");
	KTAP_EQ(store->ops->expire(store, 200, 100, note_expired, &seen, NULL), 0);
	KTAP_STREQ(seen.text, "@b due1;@a due2;");
	KTAP_EQ(store->ops->scan(store, "@a", "", see_record, &left), 0);
	KTAP_STREQ(left.text, "later=4;never=1;");
	KTAP_EQ(store->ops->log_last(store, "@b", &id), 0);
	KTAP_EQ(id, 0);
}

static int64_t put_note(const char *tenant, const char *id, enum np_note_dir direction,
			const char *value, int64_t epoch_ms, int64_t expires_at)
{
	struct np_note note = {.id = id,
			       .from = "@a",
			       .to = "@b",
			       .key = "@b:k@a",
			       .value = value,
			       .op = "update",
			       .type = "key",
			       .dir = direction,
			       .epoch_ms = epoch_ms,
			       .status = direction == NP_NOTE_SENT ? NP_NOTE_QUEUED
								   : NP_NOTE_DELIVERED,
			       .expires_at = expires_at};
	int64_t seq = -1;

	KTAP_EQ(store->ops->note_put(store, tenant, &note, &seq, NULL), 0);
	return seq;
}

static void notes_keep_their_order(void)
{
	struct seen list = {0}, after = {0}, get = {0};
	int64_t first, second, third;

	fresh();
	first = put_note("@b", "n1", NP_NOTE_RECEIVED, "v1", 1000, 0);
	second = put_note("@b", "n2", NP_NOTE_RECEIVED, NULL, 900, 5000);
	put_note("@b", "gone", NP_NOTE_RECEIVED, "x", 1100, 2000);
	KTAP_OK(second > first);
	KTAP_EQ(put_note("@b", "n1", NP_NOTE_RECEIVED, "again", 1000, 0), first);
	KTAP_EQ(store->ops->note_list(store, "@b", NP_NOTE_RECEIVED, 0, 2000, see_note, &list), 0);
	KTAP_STREQ(list.text, "n1/again/1/0;n2/-/1/0;");
	KTAP_EQ(store->ops->note_list(store, "@b", NP_NOTE_RECEIVED, 900, 2000, see_note, &after),
		0);
	KTAP_STREQ(after.text, "n1/again/1/0;");
	KTAP_EQ(store->ops->note_expire(store, 2000, NULL), 0);
	KTAP_EQ(store->ops->note_get(store, "@b", "gone", see_note, &get), -ENOENT);
	KTAP_EQ(store->ops->note_get(store, "@b", "n2", see_note, &get), 0);
	KTAP_EQ(get.seq, second);
	KTAP_EQ(store->ops->note_del(store, "@b", "n2", NULL), 0);
	KTAP_EQ(store->ops->note_del(store, "@b", "n2", NULL), -ENOENT);
	/* The newest is gone; its number stays used. */
	third = put_note("@b", "n3", NP_NOTE_RECEIVED, "v3", 1200, 0);
	KTAP_OK(third > second + 1);
}

static void queue_holds_unsent_ones(void)
{
	struct seen queue = {0};

	fresh();
	put_note("@a", "q1", NP_NOTE_SENT, "1", 10, 0);
	put_note("@a", "q2", NP_NOTE_SENT, "2", 10, 90);
	put_note("@c", "q3", NP_NOTE_SENT, "3", 10, 0);
	put_note("@c", "q4", NP_NOTE_SENT, "4", 10, 0);
	put_note("@a", "self", NP_NOTE_SELF, "s", 10, 0);
	KTAP_EQ(store->ops->note_set_status(store, "@a", "q1", NP_NOTE_SENT, NP_NOTE_QUEUED, 4,
					    NULL),
		0);
	KTAP_EQ(store->ops->note_set_status(store, "@c", "q3", NP_NOTE_SENT, NP_NOTE_DELIVERED, 0,
					    NULL),
		0);
	KTAP_EQ(store->ops->note_set_status(store, "@c", "q3", NP_NOTE_SELF, NP_NOTE_DELIVERED, 0,
					    NULL),
		-ENOENT);
	reopen_store();
	KTAP_EQ(store->ops->note_queued(store, 100, see_note, &queue), 0);
	KTAP_STREQ(queue.text, "q1/1/0/4;q4/4/0/0;");
}

static int dir_put(struct np_store *to, const char *atsign, const char *host, uint16_t port,
		   bool hosted)
{
	struct np_dir_entry entry = {.atsign = atsign, .host = host, .port = port};

	return to->ops->dir_put(to, &entry, hosted, NULL);
}

static void directory_counts_its_changes(void)
{
	struct seen all = {0}, ours = {0}, one = {0};
	struct np_store *other = NULL;
	int64_t before, after;

	fresh();
	KTAP_EQ(np_store_open_sqlite(path, false, &other, NULL), 0);
	KTAP_EQ(store->ops->dir_generation(store, &before), 0);
	KTAP_EQ(dir_put(other, "@b", "h", 65535, true), 0);
	KTAP_EQ(dir_put(other, "@a", "far", 64, false), 0);
	KTAP_EQ(dir_put(store, "@a", "far", 64, false), 0);
	store->ops->dir_generation(store, &after);
	KTAP_EQ(after - before, 2);
	KTAP_EQ(dir_put(store, "@a", "far", 65, false), 0);
	KTAP_EQ(other->ops->dir_list(other, false, see_entry, &all), 0);
	KTAP_STREQ(all.text, "@a far:65;@b h:65535*;");
	KTAP_EQ(other->ops->dir_list(other, true, see_entry, &ours), 0);
	KTAP_STREQ(ours.text, "@b h:65535*;");
	KTAP_EQ(store->ops->dir_del(store, "@b", NULL), 0);
	KTAP_EQ(store->ops->dir_del(store, "@b", NULL), -ENOENT);
	store->ops->dir_generation(store, &after);
	KTAP_EQ(after - before, 4);
	KTAP_EQ(store->ops->dir_get(store, "@b", see_entry, &one), -ENOENT);
	np_store_close(other);
}

static void read_only_reads(void)
{
	struct np_store *reader = NULL;
	struct np_err err = NP_ERR_INIT;
	struct seen seen = {0};

	fresh();
	put("@a", "k", "1", 0);
	KTAP_EQ(np_store_open_sqlite(path, true, &reader, NULL), 0);
	put("@a", "k", "2", 0);
	KTAP_EQ(reader->ops->get(reader, "@a", "k", see_record, &seen), 0);
	KTAP_STREQ(seen.text, "k=2;");
	KTAP_EQ(reader->ops->del(reader, "@a", "k", &err), -EROFS);
	KTAP_OK(strstr(err.msg, "read-only"));
	KTAP_EQ(reader->ops->begin(reader, NULL), -EROFS);
	np_store_close(reader);
}

/* What "VACUUM INTO" makes of a store is a store: it can be read, and served from. */
static void copies_are_stores(void)
{
	struct seen seen = {0};
	char sql[PATH_MAX + 64];

	fresh();
	put("@a", "k", "1", 0);
	snprintf(sql, sizeof(sql), "vacuum into '%s/copy.db'", dir);
	KTAP_EQ(sqlite3_exec(np_sqlite_of(store)->db, sql, NULL, NULL, NULL), SQLITE_OK);
	np_store_close(store);
	store = NULL;
	snprintf(sql, sizeof(sql), "%s/copy.db", dir);
	KTAP_EQ(rename(sql, path), 0);
	KTAP_EQ(np_store_open_sqlite(path, true, &store, NULL), 0);
	KTAP_EQ(store->ops->get(store, "@a", "k", see_record, &seen), 0);
	reopen_store();
	KTAP_EQ(put("@a", "k", "2", 0), 0);
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static int try_open(bool read_only, struct np_err *err)
{
	struct np_store *other = (struct np_store *)1;
	int ret = np_store_open_sqlite(path, read_only, &other, err);

	KTAP_OK(ret == 0 || other == NULL);
	if (!ret)
		np_store_close(other);
	return ret;
}

static void run_sql(const char *sql)
{
	sqlite3 *db = NULL;

	KTAP_EQ(sqlite3_open(path, &db), SQLITE_OK);
	KTAP_EQ(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void strange_files_are_refused(void)
{
	struct np_err err = NP_ERR_INIT;

	fresh();
	np_store_close(store);
	store = NULL;
	run_sql("pragma user_version = 2");
	KTAP_EQ(try_open(false, &err), -EPROTONOSUPPORT);
	KTAP_OK(strstr(err.msg, "newer"));
	unlink(path);
	KTAP_EQ(try_open(true, &err), -ENOENT);
	KTAP_EQ(access(path, F_OK), -1);
	run_sql("create table t(x)");
	KTAP_EQ(try_open(false, &err), -EUCLEAN);
	KTAP_OK(strstr(err.msg, "another program"));
	write_file(
		"this is a long enough text that is certainly no data base at all, whatever it is. "
		"it goes on for more than a hundred bytes, which is the size of a header");
	KTAP_EQ(try_open(false, &err), -EUCLEAN);
	KTAP_OK(strstr(err.msg, "no SQLite database"));
	unlink(path);
	snprintf(path, sizeof(path), "%s/none/s.db", dir);
	KTAP_EQ(try_open(false, &err), -ENOENT);
	snprintf(path, sizeof(path), "%s/s.db", dir);
}

static void file_is_private_and_synced(void)
{
	struct stat st;
	sqlite3_stmt *stmt;

	fresh();
	KTAP_EQ(stat(path, &st), 0);
	KTAP_EQ(st.st_mode & 0777, 0600);
	KTAP_EQ(sqlite3_prepare_v2(np_sqlite_of(store)->db, "pragma synchronous", -1, &stmt, NULL),
		SQLITE_OK);
	KTAP_EQ(sqlite3_step(stmt), SQLITE_ROW);
	KTAP_EQ(sqlite3_column_int(stmt, 0), 2);
	sqlite3_finalize(stmt);
	KTAP_EQ(sqlite3_prepare_v2(np_sqlite_of(store)->db, "pragma journal_mode", -1, &stmt, NULL),
		SQLITE_OK);
	KTAP_EQ(sqlite3_step(stmt), SQLITE_ROW);
	KTAP_STREQ((const char *)sqlite3_column_text(stmt, 0), "wal");
	sqlite3_finalize(stmt);
}

/* A full database: what fails is named, the transaction is undone whole, and the store goes on. */
static void full_store_loses_nothing(void)
{
	struct np_sqlite *s;
	struct np_err err = NP_ERR_INIT;
	struct seen seen = {0};
	struct np_record rec = {.value_len = 1 << 20};
	char *big = calloc(1, 1 << 20);
	int64_t id;

	fresh();
	s = np_sqlite_of(store);
	put("@a", "before", "1", 0);
	KTAP_EQ(sqlite3_exec(s->db, "pragma max_page_count = 40", NULL, NULL, NULL), SQLITE_OK);
	memset(big, 'x', 1 << 20);
	rec.value = big;
	KTAP_EQ(store->ops->begin(store, NULL), 0);
	KTAP_EQ(put("@a", "small", "2", 0), 0);
	KTAP_EQ(store->ops->put(store, "@a", "big", &rec, &err), -ENOSPC);
	KTAP_OK(strstr(err.msg, "free space"));
	/* The caller that overlooks it must not half commit. */
	KTAP_EQ(store->ops->log_append(store, "@a", "big", '+', &id, NULL), -ENOSPC);
	KTAP_EQ(store->ops->commit(store, NULL), -ENOSPC);
	KTAP_EQ(put("@a", "after", "3", 0), 0);
	KTAP_EQ(store->ops->scan(store, "@a", "", see_record, &seen), 0);
	KTAP_STREQ(seen.text, "after=3;before=1;");
	free(big);
}

/* Children that write until they are killed, and say what was committed: all of that must be there. */
static void child_writes(int fd)
{
	int64_t i;
	char key[32];

	reopen_store();
	for (i = 0;; i++) {
		snprintf(key, sizeof(key), "k%lld", (long long)i);
		if (store->ops->begin(store, NULL) || put("@a", key, "v", 0) ||
		    put_note("@a", key, NP_NOTE_SENT, "v", 1, 0) < 0 ||
		    store->ops->commit(store, NULL) || write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

static int64_t kill_a_writer(int after)
{
	int64_t last = -1, got;
	int pipefd[2], nr = 0;
	pid_t pid;

	if (pipe(pipefd))
		return -1;
	np_store_close(store);
	store = NULL;
	pid = fork();
	if (pid == 0)
		child_writes(pipefd[1]);
	close(pipefd[1]);
	while (read(pipefd[0], &got, sizeof(got)) == sizeof(got)) {
		last = got;
		if (++nr == after)
			kill(pid, SIGKILL);
	}
	close(pipefd[0]);
	waitpid(pid, NULL, 0);
	open_store();
	return last;
}

/* Pairs that are committed together: a copy that has one of them only is of no moment. */
static void child_writes_pairs(void)
{
	char value[32];
	int i;

	reopen_store();
	for (i = 0;; i++) {
		snprintf(value, sizeof(value), "%d", i);
		if (store->ops->begin(store, NULL) || put("@a", "left", value, 0) ||
		    put("@a", value, value, 0) || put("@a", "right", value, 0) ||
		    store->ops->commit(store, NULL))
			_exit(1);
	}
}

static bool copy_text(const char *key, const struct np_record *rec, void *arg)
{
	(void)key;
	snprintf(arg, 32, "%s", rec->value);
	return true;
}

static void copy_is_whole(const char *copy, char left[32])
{
	struct np_err err = NP_ERR_INIT;
	struct np_store *other;
	char right[32] = "";
	struct stat st;

	KTAP_EQ(store->ops->backup(store, copy, &err), 0);
	KTAP_EQ(stat(copy, &st), 0);
	KTAP_EQ(st.st_mode & 0777, 0600);
	KTAP_EQ(np_store_open_sqlite(copy, true, &other, &err), 0);
	KTAP_EQ(other->ops->get(other, "@a", "left", copy_text, left), 0);
	KTAP_EQ(other->ops->get(other, "@a", "right", copy_text, right), 0);
	KTAP_STREQ(left, right);
	np_store_close(other);
}

static void backups_are_of_one_moment(void)
{
	char copy[PATH_MAX + 32], left[32], right[32], first[32] = "";
	struct np_err err = NP_ERR_INIT;
	int i, status;
	pid_t pid;

	fresh();
	put("@a", "left", "-", 0);
	put("@a", "right", "-", 0);
	pid = fork();
	if (pid == 0)
		child_writes_pairs();
	for (i = 0; i < 20 || (!strcmp(first, left) && i < 5000); i++) {
		snprintf(copy, sizeof(copy), "%s/copy%d.db", dir, i);
		copy_is_whole(copy, left);
		if (!i)
			strcpy(first, left);
	}
	KTAP_OK(strcmp(first, left) != 0); /* the writer was not held up */
	KTAP_EQ(store->ops->backup(store, copy, &err), -EEXIST);
	/* While a process has the store open, nothing is put in its place. */
	KTAP_EQ(np_store_restore_sqlite(path, copy, true, &err), -EBUSY);
	KTAP_OK(strstr(err.msg, "stop atserverd") != NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	KTAP_OK(WIFSIGNALED(status));
	np_store_close(store);
	store = NULL;
	KTAP_EQ(np_store_restore_sqlite(path, copy, false, &err), -EEXIST);
	KTAP_EQ(np_store_restore_sqlite(path, copy, true, &err), 0);
	open_store();
	KTAP_EQ(store->ops->get(store, "@a", "right", copy_text, right), 0);
	KTAP_STREQ(left, right);
}

static void damaged_copies_are_refused(void)
{
	char copy[PATH_MAX + 32], value[32];
	struct np_err err = NP_ERR_INIT;
	char block[1024];
	struct stat st;
	int fd, i;

	fresh();
	for (i = 0; i < 500; i++) {
		snprintf(value, sizeof(value), "%d", i);
		put("@a", value, value, 0);
	}
	snprintf(copy, sizeof(copy), "%s/copy.db", dir);
	KTAP_EQ(store->ops->backup(store, copy, &err), 0);
	KTAP_EQ(stat(copy, &st), 0);
	fd = open(copy, O_RDWR);
	memset(block, 0x5a, sizeof(block));
	for (i = 4096; i + (int)sizeof(block) < st.st_size; i += 4096)
		KTAP_EQ(pwrite(fd, block, sizeof(block), i), sizeof(block));
	close(fd);
	np_store_close(store);
	store = NULL;
	KTAP_EQ(np_store_restore_sqlite(path, copy, true, &err), -EUCLEAN);
	KTAP_EQ(np_store_restore_sqlite(path, "/dev/null", true, &err), -ENOENT);
	open_store();
	KTAP_EQ(store->ops->get(store, "@a", "499", copy_text, value), 0);
}

static void commits_survive_kill(void)
{
	char key[32];
	int round;

	fresh();
	for (round = 1; round <= 5; round++) {
		struct seen queue = {0};
		int64_t last = kill_a_writer(round * 7), i;

		KTAP_OK(last >= round * 7 - 1);
		for (i = 0; i <= last; i++) {
			snprintf(key, sizeof(key), "k%lld", (long long)i);
			KTAP_EQ(store->ops->get(store, "@a", key, see_record, &(struct seen){0}),
				0);
		}
		store->ops->note_queued(store, 1, see_note, &queue);
		KTAP_OK(queue.nr >= last + 1);
	}
}

/* First starts of several processes at once make one schema; their writes wait for each other. */
static void processes_share_the_file(void)
{
	int i, n, status, bad = 0;
	int64_t generation = 0;
	char name[32];

	fresh();
	np_store_close(store);
	store = NULL;
	unlink(path);
	for (i = 0; i < 4; i++) {
		if (fork())
			continue;
		open_store();
		for (n = 0; n < 10; n++) {
			snprintf(name, sizeof(name), "@t%d_%d", i, n);
			if (dir_put(store, name, "h", 1, true))
				_exit(1);
		}
		np_store_close(store);
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		if (wait(&status) < 0 || status)
			bad++;
	KTAP_EQ(bad, 0);
	open_store();
	store->ops->dir_generation(store, &generation);
	KTAP_EQ(generation, 40);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/np-store-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/s.db", dir);
	KTAP_RUN(record_comes_back_whole);
	KTAP_RUN(empty_and_large_values);
	KTAP_RUN(scan_is_in_byte_order);
	KTAP_RUN(visitor_may_use_the_store);
	KTAP_RUN(rollback_undoes_all);
	KTAP_RUN(commit_ids_count_per_tenant);
	KTAP_RUN(log_lists_the_newest_per_key);
	KTAP_RUN(expiry_takes_only_what_is_due);
	KTAP_RUN(notes_keep_their_order);
	KTAP_RUN(queue_holds_unsent_ones);
	KTAP_RUN(directory_counts_its_changes);
	KTAP_RUN(read_only_reads);
	KTAP_RUN(copies_are_stores);
	KTAP_RUN(file_is_private_and_synced);
	KTAP_RUN(full_store_loses_nothing);
	KTAP_RUN(backups_are_of_one_moment);
	KTAP_RUN(damaged_copies_are_refused);
	KTAP_RUN(commits_survive_kill);
	KTAP_RUN(processes_share_the_file);
	KTAP_RUN(strange_files_are_refused);
	np_store_close(store);
	snprintf(path, sizeof(path), "rm -rf '%s'", dir);
	return system(path) | ktap_done();
}
