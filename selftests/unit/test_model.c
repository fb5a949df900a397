// SPDX-License-Identifier: BSD-3-Clause
/*
 * Random commands of two atSigns against a simple model of what a server is. A difference is
 * reduced to a sequence of which no command can be left out, and printed. NP_SEED=n repeats a run.
 */
#include "atsrv.h"

#include "base/clock.h"
#include "base/str.h"
#include "harness/ktap.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENANTS 2
#define NAMES 4
#define RUNS 6
#define OPS 120
#define FIRST_COMMIT 3 /* onboarding has used 0 to 2 */
#define TEXT 16384

static const char *const atsigns[TENANTS] = {"@alice", "@bob"};

enum kind { SELF, PUBLIC, HIDDEN, SHARED, CACHED, KINDS };
enum verb { UPDATE, UPDATE_TTR, META, DELETE, LLOOKUP, LOOKUP, PLOOKUP, SCAN, SYNC, STATS, NOTIFY,
	    LIST, VERBS };

struct op {
	enum verb verb;
	enum kind kind;
	int who, name, number;
};

struct record {
	bool is_there, ccd;
	char value[24];
	int commit; /* -1: not in the log */
	char change;
};

/* One atSign as the model has it. */
struct tenant {
	struct record records[KINDS][NAMES];
	int next_commit, nr_received;
};

static struct tenant model[TENANTS];
static struct srv_node node;
static struct srv_client c[TENANTS];
static unsigned int state;

static int dice(int sides)
{
	state = state * 1103515245u + 12345u;
	return (int)(state >> 16) % sides;
}

static const char *key_of(const struct op *op, char dst[96])
{
	const char *own = atsigns[op->who], *far = atsigns[!op->who];

	switch (op->kind) {
	case SELF:
		snprintf(dst, 96, "k%d.x%s", op->name, own);
		break;
	case PUBLIC:
		snprintf(dst, 96, "public:k%d.x%s", op->name, own);
		break;
	case HIDDEN:
		snprintf(dst, 96, "public:_k%d.x%s", op->name, own);
		break;
	case SHARED:
		snprintf(dst, 96, "%s:k%d.x%s", far, op->name, own);
		break;
	default:
		snprintf(dst, 96, "cached:%s:k%d.x%s", own, op->name, far);
		break;
	}
	return dst;
}

static struct record *record_of(const struct op *op)
{
	return &model[op->who].records[op->kind][op->name];
}

static void log_change(struct tenant *t, struct record *rec, enum kind kind, char change)
{
	rec->change = change;
	rec->commit = kind == HIDDEN ? -1 : t->next_commit++;
}

/* What the other side keeps of a shared record. */
static void tell_other(const struct op *op, bool ttr, bool is_delete)
{
	struct tenant *t = &model[!op->who];
	struct record *copy = &t->records[CACHED][op->name];

	t->nr_received++;
	if (is_delete && copy->is_there && copy->ccd) {
		copy->is_there = false;
		log_change(t, copy, CACHED, '-');
	} else if (!is_delete && ttr) {
		*copy = *record_of(op);
		copy->is_there = true;
		copy->ccd = op->number % 2;
		log_change(t, copy, CACHED, '*');
	}
}

static int changed(const struct op *op, char change, char *want)
{
	struct record *rec = record_of(op);

	log_change(&model[op->who], rec, op->kind, change);
	return snprintf(want, TEXT, "%d", rec->commit);
}

static void missing_or(const struct record *rec, char *want)
{
	snprintf(want, TEXT, "%s", rec->is_there ? rec->value : "AT0015");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void expect_scan(const struct op *op, char *want)
{
	char keys[KINDS * NAMES][96], *list[KINDS * NAMES];
	struct op at = *op;
	size_t nr = 0, i;

	for (at.kind = SELF; at.kind < KINDS; at.kind++)
		for (at.name = 0; at.name < NAMES; at.name++)
			if (at.kind != HIDDEN && record_of(&at)->is_there) {
				list[nr] = keys[nr];
				key_of(&at, keys[nr++]);
			}
	qsort(list, nr, sizeof(*list), by_text);
	want += sprintf(want, "[");
	for (i = 0; i < nr; i++)
		want += sprintf(want, "%s\"%s\"", i ? "," : "", list[i]);
	sprintf(want, "]");
}

static void expect_sync(const struct op *op, char *want)
{
	struct op at = *op;
	int id, nr = 0;
	char key[96];

	*want = '\0';
	for (id = op->number + 1; id < model[op->who].next_commit && nr < 25; id++)
		for (at.kind = SELF; at.kind < KINDS; at.kind++)
			for (at.name = 0; at.name < NAMES; at.name++) {
				struct record *rec = record_of(&at);

				if (rec->change && rec->commit == id && ++nr)
					want += sprintf(want, "%s=%s/%d/%c;", key_of(&at, key),
							rec->change == '-' ? "-" : rec->value, id,
							rec->change);
			}
}

/* Changes the model and tells the command and what is to be answered. */
static void predict(struct op *op, char *line, char *want)
{
	struct tenant *t = &model[op->who];
	struct record *rec = record_of(op);
	struct op other = *op;
	char key[96];

	key_of(op, key);
	other.who = !op->who;
	switch (op->verb) {
	case UPDATE:
	case UPDATE_TTR:
		sprintf(line, "update:%s%s%s v%d", op->verb == UPDATE_TTR ? "ttr:-1:ccd:" : "",
			op->verb != UPDATE_TTR ? "" : op->number % 2 ? "true:" : "false:", key,
			op->number);
		rec->is_there = true;
		sprintf(rec->value, "v%d", op->number);
		changed(op, '*', want);
		if (op->kind == SHARED)
			tell_other(op, op->verb == UPDATE_TTR, false);
		break;
	case META:
		sprintf(line, "update:meta:%s:ttl:0", key);
		if (!rec->is_there)
			rec->value[0] = '\0';
		rec->is_there = true;
		changed(op, '#', want);
		break;
	case DELETE:
		sprintf(line, "delete:%s", key);
		rec->is_there = false;
		changed(op, '-', want);
		if (op->kind == SHARED)
			tell_other(op, false, true);
		break;
	case LLOOKUP:
		sprintf(line, "llookup:%s", key);
		missing_or(rec, want);
		break;
	case LOOKUP:
		sprintf(line, "lookup:k%d.x%s", op->name, atsigns[!op->who]);
		other.kind = SHARED;
		missing_or(record_of(&other), want);
		break;
	case PLOOKUP:
		sprintf(line, "plookup:k%d.x%s", op->name, atsigns[!op->who]);
		other.kind = PUBLIC;
		missing_or(record_of(&other), want);
		break;
	case SCAN:
		strcpy(line, "scan \\.x@");
		expect_scan(op, want);
		break;
	case SYNC:
		sprintf(line, "sync:from:%d:limit:5", op->number);
		expect_sync(op, want);
		break;
	case STATS:
		strcpy(line, "stats:3");
		sprintf(want, "[{\"id\":\"3\",\"name\":\"lastCommitID\",\"value\":\"%d\"}]",
			t->next_commit - 1);
		break;
	case NOTIFY:
		sprintf(line, "notify:%s:n%d.x%s:v", atsigns[!op->who], op->number, atsigns[op->who]);
		strcpy(want, "{uuid}");
		model[!op->who].nr_received++;
		break;
	default:
		strcpy(line, "notify:list");
		sprintf(want, "%d", t->nr_received);
		break;
	}
}

static void flatten_sync(const struct np_json *json, char *dst)
{
	size_t i;

	*dst = '\0';
	for (i = 0; i < np_json_len(json); i++) {
		const struct np_json *e = np_json_at(json, i);
		const char *value = np_json_str(e, "value");

		dst += sprintf(dst, "%.90s=%.30s/%d/%.3s;", np_json_str(e, "atKey"),
			       value ? value : "-", (int)np_json_int(e, "commitId", -2),
			       np_json_str(e, "operation"));
	}
}

/* What the model speaks of, out of what the server said. */
static void reduce(const struct op *op, const char *seen, char *got)
{
	const char *end = strstr(seen, "|@"), *data = strchr(seen, ':');
	struct np_json *json;

	if (!data || !end || np_str_starts(seen, "[error:")) {
		snprintf(got, TEXT, "%.6s", data ? data + 1 : seen);
		return;
	}
	data += 1 + (data[1] == ' ');
	snprintf(got, TEXT, "%.*s", (int)(end - data), data);
	if (op->verb != SYNC && op->verb != LIST)
		return;
	json = np_json_parse(data, (size_t)(end - data), "answer", NULL);
	if (op->verb == SYNC)
		flatten_sync(json, got);
	else
		sprintf(got, "%zu", np_json_len(json));
	np_json_put(json);
}

/* Return: the first operation that was answered differently, or -1. */
static int run(struct op *ops, int nr, bool tell)
{
	static char line[256], want[TEXT], got[TEXT];
	static const char *const both[] = {"@alice", "@bob", NULL};
	int i, bad = -1;

	srv_node_init(&node, both);
	srv_node_start(&node);
	memset(model, 0, sizeof(model));
	for (i = 0; i < TENANTS; i++) {
		srv_activate(&node, atsigns[i]);
		srv_owner(&c[i], &node, atsigns[i]);
		model[i].next_commit = FIRST_COMMIT;
	}
	for (i = 0; i < nr && bad < 0; i++) {
		predict(&ops[i], line, want);
		reduce(&ops[i], srv_ask(&c[ops[i].who], line), got);
		if (!srv_match(want, got))
			bad = i;
		if (tell)
			printf("# %s %s\n", atsigns[ops[i].who], line);
		if (tell && bad >= 0)
			printf("#   want %.600s\n#   seen %.600s\n", want, got);
	}
	for (i = 0; i < TENANTS; i++)
		srv_hang_up(&c[i]);
	srv_node_fini(&node);
	return bad;
}

/* Leaves out what the difference does not need, from the end, until nothing more can go. */
static void shrink(struct op *ops, int nr)
{
	struct op fewer[OPS];
	bool again = true;
	int i, bad;

	while (again) {
		again = false;
		for (i = nr - 2; i >= 0; i--) {
			memcpy(fewer, ops, sizeof(*ops) * (size_t)i);
			memcpy(fewer + i, ops + i + 1, sizeof(*ops) * (size_t)(nr - i - 1));
			bad = run(fewer, nr - 1, false);
			if (bad < 0)
				continue;
			nr = bad + 1;
			memcpy(ops, fewer, sizeof(*ops) * (size_t)nr);
			i = i < nr - 1 ? i : nr - 1;
			again = true;
		}
	}
	run(ops, nr, true);
}

static void make(struct op *op)
{
	op->verb = (enum verb)dice(VERBS);
	op->kind = (enum kind)dice(op->verb == LLOOKUP ? KINDS : CACHED);
	op->who = dice(TENANTS);
	op->name = dice(NAMES);
	op->number = dice(op->verb == SYNC ? 60 : 1000) + (op->verb == SYNC ? FIRST_COMMIT - 1 : 0);
	if (op->verb == UPDATE_TTR)
		op->kind = SHARED;
}

static void server_does_as_the_model(void)
{
	const char *asked = getenv("NP_SEED");
	unsigned int seed = asked ? (unsigned int)strtoul(asked, NULL, 10)
				  : (unsigned int)np_clock_wall_ms();
	struct op ops[OPS];
	int i, r, bad;

	for (r = 0; r < RUNS; r++) {
		state = seed + (unsigned int)r;
		for (i = 0; i < OPS; i++)
			make(&ops[i]);
		bad = run(ops, OPS, false);
		KTAP_OK(bad < 0);
		if (bad < 0)
			continue;
		printf("# NP_SEED=%u: the shortest sequence with a difference\n", seed + (unsigned int)r);
		shrink(ops, bad + 1);
		return;
	}
}

int main(void)
{
	srv_open();
	KTAP_RUN(server_does_as_the_model);
	srv_close();
	return ktap_done();
}
