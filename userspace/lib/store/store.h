/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a server must not lose: records, notifications and directory entries of many atSigns, behind one vtable.
 *
 * Durability contract: changes made between np_store_begin() and a successful np_store_commit() survive kill -9
 * and power loss together, or none of them does. A caller acknowledges a change only after its commit.
 * Without an open transaction every change is its own.
 * All calls are synchronous and come from one thread. Text is UTF-8 and NUL-terminated; values may be large.
 */
#ifndef NP_STORE_STORE_H
#define NP_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_err;
struct np_store;

/**
 * struct np_record - one key of one atSign. Times are wall-clock milliseconds, 0 = never.
 * @meta: metadata as compact JSON, opaque to the store; NULL is stored as "{}"
 */
struct np_record {
	const char *value;
	size_t value_len;
	const char *meta;
	int64_t created_at, updated_at;
	int64_t available_at; /* not visible before */
	int64_t expires_at;   /* not visible from then on */
	int64_t refresh_at;   /* cached copy is stale from then on; -1 = never */
	int64_t version;      /* 0, +1 per update */
};

enum np_note_dir { NP_NOTE_RECEIVED, NP_NOTE_SENT, NP_NOTE_SELF };
enum np_note_status { NP_NOTE_QUEUED, NP_NOTE_DELIVERED, NP_NOTE_ERRORED, NP_NOTE_EXPIRED };

/** struct np_note - one notification; all text borrowed. @key is the full "@to:name@from". */
struct np_note {
	int64_t seq; /* assigned by the store, ascending per store */
	const char *id, *from, *to, *key;
	const char *value; /* NULL when none */
	const char *op;	   /* "update" or "delete" */
	const char *type;  /* "key" or "text" */
	const char *meta;  /* compact JSON, opaque: metadata, notifier, priority, strategy */
	enum np_note_dir dir;
	enum np_note_status status;
	int64_t epoch_ms; /* when it was made (sent) or received */
	int64_t expires_at;
	int64_t retries;
};

/** struct np_log_entry - the newest entry of the commit log for one key. */
struct np_log_entry {
	int64_t commit_id;
	const char *key;
	char op;		     /* + # * or - */
	const struct np_record *rec; /* what is stored under the key now, NULL when nothing is */
};

/** struct np_store_usage - what one atSign takes. Bytes are those of keys, values and metadata. */
struct np_store_usage {
	int64_t nr_keys, nr_bytes, nr_notes;
};

/** struct np_dir_entry - an atSign and where its server answers. */
struct np_dir_entry {
	const char *atsign; /* with @ */
	const char *host;
	uint16_t port;
	bool hosted; /* told by get and list; put has its own parameter */
};

/* Visitors return false to stop. What they get is borrowed for the call. */
typedef bool (*np_record_fn)(const char *key, const struct np_record *rec, void *arg);
typedef bool (*np_note_fn)(const struct np_note *note, void *arg);
typedef bool (*np_log_fn)(const struct np_log_entry *entry, void *arg);
typedef bool (*np_dir_fn)(const struct np_dir_entry *entry, void *arg);

/**
 * struct np_store_ops - a back end. Return values: 0, -ENOENT, -ENOSPC (disk full), -EROFS, -EIO...
 * @tenant is an atSign with @.
 */
struct np_store_ops {
	const char *name;
	void (*close)(struct np_store *store);
	int (*begin)(struct np_store *store, struct np_err *err);
	int (*commit)(struct np_store *store, struct np_err *err); /* failure rolls back */
	void (*rollback)(struct np_store *store);

	/* Records. get visits one record (also one that is expired: visibility is the caller's rule). */
	int (*get)(struct np_store *store, const char *tenant, const char *key, np_record_fn fn, void *arg);
	int (*put)(struct np_store *store, const char *tenant, const char *key, const struct np_record *rec,
		   struct np_err *err);
	int (*del)(struct np_store *store, const char *tenant, const char *key, struct np_err *err);
	/* Keys that begin with @prefix ("" for all), in byte order. */
	int (*scan)(struct np_store *store, const char *tenant, const char *prefix, np_record_fn fn, void *arg);
	/* Commit log: append one entry for @key; *@commit_id counts 0, 1, 2... per tenant. @op is + # * or -. */
	int (*log_append)(struct np_store *store, const char *tenant, const char *key, char op, int64_t *commit_id,
			  struct np_err *err);
	int (*log_last)(struct np_store *store, const char *tenant, int64_t *commit_id); /* -1 when empty */
	/* Entries with a commit id above @after: ascending, or with @newest_first descending. */
	int (*log_list)(struct np_store *store, const char *tenant, int64_t after, bool newest_first, np_log_fn fn,
			void *arg);
	/* Writes one entry as it was told, newer than all that are there: for import. */
	int (*log_put)(struct np_store *store, const char *tenant, const struct np_log_entry *entry,
		       struct np_err *err);
	/* Deletes everything of an atSign but its entry in the directory. */
	int (*purge)(struct np_store *store, const char *tenant, struct np_err *err);
	/* Reads every record of the atSign: not for each command. */
	int (*usage)(struct np_store *store, const char *tenant, struct np_store_usage *usage);
	/* Deletes records with 0 < expires_at <= now of all tenants, visiting tenant keys before. At most @max. */
	int (*expire)(struct np_store *store, int64_t now_ms, unsigned int max,
		      bool (*fn)(const char *tenant, const char *key, void *arg), void *arg, struct np_err *err);

	/* Notifications. An existing (tenant, id, dir) is replaced and keeps its seq. */
	int (*note_put)(struct np_store *store, const char *tenant, const struct np_note *note, int64_t *seq,
			struct np_err *err);
	int (*note_set_status)(struct np_store *store, const char *tenant, const char *id, enum np_note_dir dir,
			       enum np_note_status status, int64_t retries, struct np_err *err);
	int (*note_get)(struct np_store *store, const char *tenant, const char *id, np_note_fn fn, void *arg);
	int (*note_del)(struct np_store *store, const char *tenant, const char *id, struct np_err *err);
	/* Those of @dir with epoch_ms > @after_ms (ascending by seq), expired ones left out. */
	int (*note_list)(struct np_store *store, const char *tenant, enum np_note_dir dir, int64_t after_ms,
			 int64_t now_ms, np_note_fn fn, void *arg);
	/* All sent, queued and unexpired ones of all tenants, ascending by seq: the outbound queue at start.
	 * @from of each note is the tenant. */
	int (*note_queued)(struct np_store *store, int64_t now_ms, np_note_fn fn, void *arg);
	int (*note_expire)(struct np_store *store, int64_t now_ms, struct np_err *err);

	/* Directory entries double as the list of tenants that this server hosts (hosted = true). */
	int (*dir_put)(struct np_store *store, const struct np_dir_entry *entry, bool hosted, struct np_err *err);
	int (*dir_get)(struct np_store *store, const char *atsign, np_dir_fn fn, void *arg);
	int (*dir_del)(struct np_store *store, const char *atsign, struct np_err *err);
	int (*dir_list)(struct np_store *store, bool hosted_only, np_dir_fn fn, void *arg);
	/* Grows by one with every change of the directory made by any process: a cheap "look again" test. */
	int (*dir_generation)(struct np_store *store, int64_t *generation);

	/* All reads between the two see the same moment; writers of other processes are not held up. */
	int (*begin_read)(struct np_store *store, struct np_err *err);
	void (*end_read)(struct np_store *store);
	/*
	 * A complete copy of one moment as the new file @path (mode 0600), durable when this returns. Other
	 * processes go on writing meanwhile. -EEXIST when @path is there.
	 */
	int (*backup)(struct np_store *store, const char *path, struct np_err *err);
};

struct np_store {
	const struct np_store_ops *ops;
};

/**
 * np_store_open_sqlite() - open or create @path (WAL, synchronous=FULL, checked to have taken effect).
 * @read_only: fail to write with -EROFS, never create. A schema newer than ours is refused by name.
 */
int np_store_open_sqlite(const char *path, bool read_only, struct np_store **out, struct np_err *err);
/**
 * np_store_restore_sqlite() - put the copy @from in the place of @path.
 * @replace: what is at @path is lost; otherwise -EEXIST
 * Return: 0, -EBUSY when a process has @path open, -EUCLEAN when @from is damaged. @path is then as before.
 */
int np_store_restore_sqlite(const char *path, const char *from, bool replace, struct np_err *err);
void np_store_close(struct np_store *store); /* NULL is accepted */

#endif
