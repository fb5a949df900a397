// SPDX-License-Identifier: BSD-3-Clause
/*
 * Schema and statements. The file is made by np_sqlite_schema inside one transaction.
 *
 * records     one b-tree per (tenant, key), which is also the order of scans
 * commit_log  the newest entry per key; ids never come back: a tenant's newest is never deleted
 * notes       seq is AUTOINCREMENT: it must not come back after the newest note was deleted
 * directory   the triggers count changes, whatever process makes them; putting the same is none
 */
#include "store/sqlite_internal.h"

const char *const np_sqlite_schema =
	"create table records(tenant text not null, key text not null, value blob not null,"
	" meta text not null, created_at integer not null, updated_at integer not null,"
	" available_at integer not null, expires_at integer not null, refresh_at integer not null,"
	" version integer not null, primary key(tenant, key)) without rowid;"
	"create index records_expiry on records(expires_at) where expires_at > 0;"

	"create table commit_log(tenant text not null, key text not null,"
	" commit_id integer not null, op text not null, primary key(tenant, key)) without rowid;"
	"create unique index commit_log_id on commit_log(tenant, commit_id);"

	"create table notes(seq integer primary key autoincrement, tenant text not null,"
	" id text not null, dir integer not null, sender text not null, recipient text not null,"
	" key text not null, value text, op text not null, type text not null, meta text not null,"
	" status integer not null, epoch_ms integer not null, expires_at integer not null,"
	" retries integer not null, unique(tenant, id, dir));"
	"create index notes_time on notes(tenant, dir, epoch_ms);"
	"create index notes_queue on notes(seq) where dir = 1 and status = 0;"
	"create index notes_expiry on notes(expires_at) where expires_at > 0;"

	"create table directory(atsign text primary key not null, host text not null,"
	" port integer not null, hosted integer not null) without rowid;"
	"create table counters(name text primary key not null, value integer not null)"
	" without rowid;"
	"insert into counters values('directory', 0);"
	"create trigger directory_insert after insert on directory begin"
	" update counters set value = value + 1 where name = 'directory'; end;"
	"create trigger directory_update after update on directory begin"
	" update counters set value = value + 1 where name = 'directory'; end;"
	"create trigger directory_delete after delete on directory begin"
	" update counters set value = value + 1 where name = 'directory'; end;";

_Static_assert(NP_NOTE_SENT == 1 && NP_NOTE_QUEUED == 0,
	       "the index notes_queue names them by value");

#define RECORD_COLS                                                                                \
	"key, value, meta, created_at, updated_at, available_at, expires_at, refresh_at, version"
#define NOTE_COLS                                                                                  \
	"seq, id, sender, recipient, key, value, op, type, meta, dir, status, epoch_ms,"           \
	" expires_at, retries"
#define LOG_LIST                                                                                   \
	"select l.commit_id, l.key, l.op, r.value, r.meta, r.created_at, r.updated_at,"            \
	" r.available_at, r.expires_at, r.refresh_at, r.version from commit_log l"                 \
	" left join records r on r.tenant = l.tenant and r.key = l.key"                            \
	" where l.tenant = ?1 and l.commit_id > ?2 order by l.commit_id"
#define NOT_EXPIRED(now) "(expires_at = 0 or expires_at > " now ")"

const char *const np_sqlite_text[SQL_NR] = {
	/* Immediate: the write lock is waited for here and not met in the middle. */
	[SQL_BEGIN] = "begin immediate",
	[SQL_COMMIT] = "commit",
	[SQL_ROLLBACK] = "rollback",

	[SQL_RECORD_GET] = "select " RECORD_COLS " from records where tenant = ?1 and key = ?2",
	[SQL_RECORD_PUT] = "insert or replace into records(tenant, " RECORD_COLS
			   ") values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[SQL_RECORD_DEL] = "delete from records where tenant = ?1 and key = ?2",
	[SQL_RECORD_SCAN] = "select " RECORD_COLS " from records where tenant = ?1 and key >= ?2"
			    " and key < ?3 order by key",
	[SQL_RECORD_EXPIRED] = "select tenant, key from records where expires_at > 0 and"
			       " expires_at <= ?1 order by expires_at limit 1",

	[SQL_LOG_LAST] = "select max(commit_id) from commit_log where tenant = ?1",
	[SQL_LOG_APPEND] =
		"insert into commit_log(tenant, key, commit_id, op) values(?1, ?2,"
		" (select coalesce(max(commit_id), -1) + 1 from commit_log where tenant = ?1), ?3)"
		" on conflict(tenant, key) do update set commit_id = excluded.commit_id,"
		" op = excluded.op returning commit_id",

	[SQL_LOG_PUT] = "insert into commit_log(tenant, key, commit_id, op) values(?1, ?2, ?3, ?4)",
	[SQL_PURGE_RECORDS] = "delete from records where tenant = ?1",
	[SQL_PURGE_LOG] = "delete from commit_log where tenant = ?1",
	[SQL_PURGE_NOTES] = "delete from notes where tenant = ?1",
	[SQL_LOG_UP] = LOG_LIST,
	[SQL_LOG_DOWN] = LOG_LIST " desc",
	[SQL_USAGE] =
		"select count(*), coalesce(sum(length(cast(key as blob)) + length(value) +"
		" length(cast(meta as blob))), 0), (select count(*) from notes where tenant = ?1)"
		" from records where tenant = ?1",

	[SQL_NOTE_PUT] =
		"insert into notes(tenant, id, sender, recipient, key, value, op, type, meta, dir,"
		" status, epoch_ms, expires_at, retries)"
		" values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
		" on conflict(tenant, id, dir) do update set sender = excluded.sender,"
		" recipient = excluded.recipient, key = excluded.key, value = excluded.value,"
		" op = excluded.op, type = excluded.type, meta = excluded.meta,"
		" status = excluded.status, epoch_ms = excluded.epoch_ms,"
		" expires_at = excluded.expires_at, retries = excluded.retries returning seq",
	[SQL_NOTE_SET_STATUS] = "update notes set status = ?4, retries = ?5"
				" where tenant = ?1 and id = ?2 and dir = ?3",
	[SQL_NOTE_GET] = "select " NOTE_COLS " from notes where tenant = ?1 and id = ?2"
			 " order by dir",
	[SQL_NOTE_DEL] = "delete from notes where tenant = ?1 and id = ?2",
	[SQL_NOTE_LIST] = "select " NOTE_COLS " from notes where tenant = ?1 and dir = ?2 and"
			  " epoch_ms > ?3 and " NOT_EXPIRED("?4") " order by seq",
	[SQL_NOTE_QUEUED] =
		"select " NOTE_COLS
		" from notes where dir = 1 and status = 0 and " NOT_EXPIRED("?1") " order by seq",
	[SQL_NOTE_EXPIRE] = "delete from notes where expires_at > 0 and expires_at <= ?1",

	[SQL_DIR_PUT] = "insert into directory(atsign, host, port, hosted) values(?1, ?2, ?3, ?4)"
			" on conflict(atsign) do update set host = excluded.host,"
			" port = excluded.port, hosted = excluded.hosted where"
			" (host, port, hosted) <> (excluded.host, excluded.port, excluded.hosted)",
	[SQL_DIR_GET] = "select atsign, host, port, hosted from directory where atsign = ?1",
	[SQL_DIR_DEL] = "delete from directory where atsign = ?1",
	[SQL_DIR_LIST] = "select atsign, host, port, hosted from directory where hosted >= ?1"
			 " order by atsign",
	[SQL_DIR_GENERATION] = "select value from counters where name = 'directory'",
};
