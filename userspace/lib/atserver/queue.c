// SPDX-License-Identifier: BSD-3-Clause
/*
 * A lane is IDLE (nothing queued: freed), SENDING (the first item is with the outbound connection)
 * or WAITING (its timer runs). An item leaves when it was delivered, refused for good, expired, or
 * tried RETRIES times.
 */
#include "atserver/queue.h"

#include "atserver/block.h"
#include "atserver/internal.h"
#include "atserver/meta.h"
#include "atserver/note.h"
#include "atserver/outbound.h"
#include "atserver/respond.h"
#include "atserver/tenant.h"
#include "atserver/turn.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRIES 30

struct item {
	STAILQ_ENTRY(item) next;
	int64_t expires_at;
	unsigned int retries;
	const char *notifier; /* behind the id; "" unless only its newest matter */
	char id[];
};

struct lane {
	ev_timer timer;
	struct np_queue *queue;
	struct np_tenant *tenant;
	struct np_backoff backoff;
	STAILQ_HEAD(, item) items;
	unsigned int nr;
	bool sending;
	char to[NP_ATSIGN_MAX];
	char key[2 * NP_ATSIGN_MAX];
};

struct np_queue {
	struct np_atserver *srv;
	struct np_map lanes;
};

static void send_first(struct lane *lane);

static void free_lane(void *arg)
{
	struct lane *lane = arg;
	struct item *item;

	while ((item = STAILQ_FIRST(&lane->items))) {
		STAILQ_REMOVE_HEAD(&lane->items, next);
		free(item);
	}
	np_outbound_cancel(lane->queue->srv->outbound, lane);
	ev_timer_stop(lane->queue->srv->loop, &lane->timer);
	free(lane);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	send_first((struct lane *)w);
}

static void wait_ms(struct lane *lane, unsigned int ms)
{
	struct ev_loop *loop = lane->queue->srv->loop;

	ev_timer_stop(loop, &lane->timer);
	ev_now_update(loop);
	ev_timer_set(&lane->timer, ms / 1000.0, 0);
	ev_timer_start(loop, &lane->timer);
}

/* A status that cannot be stored only means a second delivery after a restart. */
static void set_status(struct lane *lane, const struct item *item, enum np_note_status status)
{
	struct np_atserver *srv = lane->queue->srv;
	struct np_err err = NP_ERR_INIT;

	if (np_turn_begin(srv))
		return;
	if (srv->store->ops->note_set_status(srv->store, lane->tenant->name, item->id, NP_NOTE_SENT,
					     status, item->retries, &err))
		np_debug("queue: status not stored id=%s reason=%s", item->id, np_err_text(&err));
}

static void drop_first(struct lane *lane, enum np_note_status status)
{
	struct item *item = STAILQ_FIRST(&lane->items);

	set_status(lane, item, status);
	STAILQ_REMOVE_HEAD(&lane->items, next);
	lane->nr--;
	free(item);
}

static void go_on(struct lane *lane)
{
	if (STAILQ_EMPTY(&lane->items)) {
		np_map_remove(&lane->queue->lanes, lane->key);
		free_lane(lane);
		return;
	}
	wait_ms(lane, 0);
}

/* Refusals that another attempt cannot change. */
static bool is_final(const struct np_err *err)
{
	static const char *const codes[] = {"AT0003", "AT0005", "AT0009", "AT0016", "AT0022"};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(err->remote, codes[i]))
			return true;
	return false;
}

static void on_answer(char *line, const struct np_err *why, void *arg)
{
	struct lane *lane = arg;
	struct item *item = STAILQ_FIRST(&lane->items);
	struct np_err err = *why;

	lane->sending = false;
	if (line && np_str_starts(line, "data:success")) {
		np_backoff_reset(&lane->backoff);
		drop_first(lane, NP_NOTE_DELIVERED);
		go_on(lane);
		return;
	}
	if (line)
		np_respond_parse(line, &err);
	item->retries++;
	np_debug("queue: not delivered from=%s to=%s retries=%u code=%s reason=%s",
		 lane->tenant->name, lane->to, item->retries, err.remote, np_err_text(&err));
	if ((line && is_final(&err)) || item->retries >= RETRIES) {
		np_info("queue: given up from=%s to=%s code=%s", lane->tenant->name, lane->to,
			err.remote);
		drop_first(lane, NP_NOTE_ERRORED);
		go_on(lane);
		return;
	}
	wait_ms(lane, np_backoff_next_ms(&lane->backoff));
}

/* The body between servers, in the order that the published server expects (11.2). */
static int put_command(const struct np_note *note, struct np_buf *buf)
{
	static const enum np_meta_id caching[] = {NP_META_TTR, NP_META_CCD, NP_META_NR};
	static const enum np_meta_id rest[] = {
		NP_META_IS_ENCRYPTED,	  NP_META_SHARED_KEY_ENC, NP_META_PUB_KEY_CS,
		NP_META_ENC_KEY_NAME,	  NP_META_ENC_ALGO,	  NP_META_IV_NONCE,
		NP_META_SKE_ENC_KEY_NAME, NP_META_SKE_ENC_ALGO,	  NP_META_NR};
	struct np_json *json = np_json_parse(note->meta, strlen(note->meta), "notification", NULL);
	const char *notifier = np_json_str(json, "notifier");
	struct np_meta meta;
	int64_t left = note->expires_at - np_clock_wall_ms();
	int ret;

	np_meta_from_json(&meta, json);
	if (np_meta_num(&meta, NP_META_TTR, 0) == 0) {
		meta.state[NP_META_TTR] = NP_META_ABSENT;
		meta.state[NP_META_CCD] = NP_META_ABSENT;
	} else if (!np_meta_has(&meta, NP_META_CCD)) {
		np_meta_put_num(&meta, NP_META_CCD, 0);
	}
	ret = np_buf_printf(
		buf, "notify:id:%s:%s:messageType:%s:notifier:%s:ttln:%lld:ttl:%lld:ttb:%lld",
		note->id, note->op, note->type, notifier ? notifier : "SYSTEM",
		(long long)(left > 1 ? left : 1), (long long)np_meta_num(&meta, NP_META_TTL, 0),
		(long long)np_meta_num(&meta, NP_META_TTB, 0));
	if (!ret)
		ret = np_meta_put_pairs(&meta, caching, buf);
	if (!ret)
		ret = np_meta_put_pairs(&meta, rest, buf);
	if (!ret)
		ret = np_buf_printf(buf, ":%s", note->key);
	if (!ret && note->value)
		ret = np_buf_append_str(buf, ":") || np_buf_append_str(buf, note->value) ? -ENOMEM
											 : 0;
	np_json_put(json);
	return ret;
}

static bool build(const struct np_note *note, void *arg)
{
	struct np_buf *buf = arg;

	if (note->dir != NP_NOTE_SENT)
		return true;
	if (put_command(note, buf))
		np_buf_fini(buf);
	return false;
}

static void start_sending(struct lane *lane, const char *command)
{
	struct np_request req = {.as = lane->tenant,
				 .remote = lane->to,
				 .pol = true,
				 .command = command,
				 .timeout_ms = NP_OUTBOUND_NOTIFY_MS,
				 .cb = on_answer,
				 .arg = lane};
	struct np_err err = NP_ERR_INIT;
	int ret = np_outbound_send(lane->queue->srv->outbound, &req);

	lane->sending = true;
	if (!ret)
		return;
	np_fail_errno(&err, ret, "cannot contact another server");
	on_answer(NULL, &err, lane);
}

/* The recipient may have been added to this very server since. */
static bool is_local_now(struct lane *lane)
{
	return np_tenant_find(lane->queue->srv, lane->to) != NULL;
}

struct local {
	struct np_tenant *to;
	int ret;
};

static bool hand_over(const struct np_note *note, void *arg)
{
	struct local *local = arg;
	struct np_json *json = np_json_parse(note->meta, strlen(note->meta), "notification", NULL);
	struct np_note_spec spec = {.to = note->to,
				    .key = note->key,
				    .value = note->value,
				    .depth = 1,
				    .is_delete = note->op[0] == 'd',
				    .is_text = note->type[0] == 't',
				    .priority = "low",
				    .notifier = "SYSTEM"};
	struct np_meta meta;

	if (note->dir == NP_NOTE_SENT && json && !np_str_copy(spec.id, sizeof(spec.id), note->id)) {
		np_meta_from_json(&meta, json);
		spec.meta = &meta;
		spec.ttln_ms = note->expires_at - np_clock_wall_ms();
		local->ret = spec.ttln_ms > 0 ? np_note_receive(local->to, note->from, &spec) : 0;
	}
	np_json_put(json);
	return true;
}

static void send_local(struct lane *lane, const char *id)
{
	struct np_atserver *srv = lane->queue->srv;
	struct local local = {.to = np_tenant_find(srv, lane->to)};

	if (np_block_has(local.to, lane->tenant->name)) {
		drop_first(lane, NP_NOTE_ERRORED);
		go_on(lane);
		return;
	}
	srv->store->ops->note_get(srv->store, lane->tenant->name, id, hand_over, &local);
	if (local.ret) {
		wait_ms(lane, np_backoff_next_ms(&lane->backoff));
		return;
	}
	drop_first(lane, NP_NOTE_DELIVERED);
	go_on(lane);
}

static void send_first(struct lane *lane)
{
	struct np_atserver *srv = lane->queue->srv;
	struct item *item = STAILQ_FIRST(&lane->items);
	struct np_buf command = NP_BUF_INIT;

	if (item->expires_at <= np_clock_wall_ms() || lane->tenant->gone) {
		drop_first(lane, NP_NOTE_EXPIRED);
		go_on(lane);
		return;
	}
	if (is_local_now(lane)) {
		send_local(lane, item->id);
		return;
	}
	srv->store->ops->note_get(srv->store, lane->tenant->name, item->id, build, &command);
	if (!command.len) {
		drop_first(lane, NP_NOTE_ERRORED);
		go_on(lane);
	} else {
		start_sending(lane, np_buf_str(&command));
	}
	np_buf_fini(&command);
}

static struct lane *find_lane(struct np_queue *queue, struct np_tenant *tenant, const char *to)
{
	char key[2 * NP_ATSIGN_MAX];

	snprintf(key, sizeof(key), "%s %s", tenant->name, to);
	return np_map_get(&queue->lanes, key);
}

static struct lane *new_lane(struct np_queue *queue, struct np_tenant *tenant, const char *to)
{
	const struct np_atserver_conf *conf = &queue->srv->conf;
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->queue = queue;
	lane->tenant = tenant;
	lane->backoff = (struct np_backoff)NP_BACKOFF_INIT((unsigned int)conf->retry_min_ms,
							   (unsigned int)conf->retry_max_ms);
	STAILQ_INIT(&lane->items);
	ev_timer_init(&lane->timer, on_timer, 0, 0);
	np_str_copy(lane->to, sizeof(lane->to), to);
	snprintf(lane->key, sizeof(lane->key), "%s %s", tenant->name, to);
	if (np_map_put(&queue->lanes, lane->key, lane, NULL)) {
		free(lane);
		return NULL;
	}
	return lane;
}

static struct item *new_item(const struct np_delivery *d)
{
	const char *notifier = d->notifier ? d->notifier : "";
	size_t id_len = strlen(d->id) + 1, len = id_len + strlen(notifier) + 1;
	struct item *item = calloc(1, sizeof(*item) + len);

	if (!item)
		return NULL;
	item->expires_at = d->expires_at;
	item->notifier = item->id + id_len;
	memcpy(item->id, d->id, id_len);
	memcpy(item->id + id_len, notifier, len - id_len);
	return item;
}

/* Keeps the newest of a notifier. One that is being sent is beyond recall. */
static void drop_older(struct lane *lane, const char *notifier, int64_t depth)
{
	struct item *item, *next;
	int64_t nr = 0;

	STAILQ_FOREACH(item, &lane->items, next)
	nr += !strcmp(item->notifier, notifier);
	for (item = STAILQ_FIRST(&lane->items); item && nr > depth; item = next) {
		next = STAILQ_NEXT(item, next);
		if (strcmp(item->notifier, notifier) ||
		    (lane->sending && item == STAILQ_FIRST(&lane->items)))
			continue;
		set_status(lane, item, NP_NOTE_EXPIRED);
		STAILQ_REMOVE(&lane->items, item, item, next);
		lane->nr--;
		nr--;
		free(item);
	}
}

void np_queue_add(struct np_queue *queue, const struct np_delivery *d)
{
	struct lane *lane = find_lane(queue, d->tenant, d->to);
	struct item *item = new_item(d);
	bool is_new = !lane;

	if (!lane)
		lane = new_lane(queue, d->tenant, d->to);
	if (!lane || !item) {
		np_warn("queue: out of memory, delivered after a restart id=%s", d->id);
		free(item);
		if (lane && is_new)
			go_on(lane);
		return;
	}
	STAILQ_INSERT_TAIL(&lane->items, item, next);
	lane->nr++;
	if (d->notifier)
		drop_older(lane, d->notifier, d->depth > 0 ? d->depth : 1);
	/* From the loop: the caller is at the end of a turn, and sending may open the next one. */
	if (is_new)
		wait_ms(lane, 0);
}

int np_queue_is_full(struct np_queue *queue, struct np_tenant *tenant, const char *to)
{
	struct lane *lane = find_lane(queue, tenant, to);

	return lane && lane->nr >= NP_QUEUE_MAX;
}

static bool reload_one(const struct np_note *note, void *arg)
{
	struct np_queue *queue = arg;
	struct np_json *json = np_json_parse(note->meta, strlen(note->meta), "notification", NULL);
	const char *strategy = np_json_str(json, "strategy");
	struct np_delivery d = {
		.tenant = np_tenant_find(queue->srv, note->from),
		.to = (char *)note->to,
		.id = (char *)note->id,
		.expires_at = note->expires_at,
		.depth = np_json_int(json, "depth", 1),
	};

	if (strategy && !strcmp(strategy, "latest"))
		d.notifier = (char *)np_json_str(json, "notifier");
	if (d.tenant)
		np_queue_add(queue, &d);
	np_json_put(json);
	return true;
}

int np_queue_open(struct np_atserver *srv, struct np_queue **out, struct np_err *err)
{
	struct np_queue *queue = calloc(1, sizeof(*queue));
	int ret;

	if (!queue)
		return np_fail(err, -ENOMEM, "out of memory");
	queue->srv = srv;
	ret = srv->store->ops->note_queued(srv->store, np_clock_wall_ms(), reload_one, queue);
	if (ret && ret != -ENOENT) {
		np_queue_close(queue);
		return np_fail_errno(err, ret, "cannot read the undelivered notifications");
	}
	*out = queue;
	return 0;
}

void np_queue_close(struct np_queue *queue)
{
	if (!queue)
		return;
	np_map_fini(&queue->lanes, free_lane);
	free(queue);
}
