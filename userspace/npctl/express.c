// SPDX-License-Identifier: BSD-3-Clause
/* npctl probe: what this host can do. npctl express: what the kernel relays in this network
 * namespace. */
#include "npctl.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "json/json.h"
#include "kern/bpfobj.h"
#include "splice/splice.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

static void print_json(const struct np_json *json, int *ret)
{
	struct np_buf text = NP_BUF_INIT;

	if (!*ret)
		*ret = np_json_write_pretty(json, &text);
	if (!*ret)
		printf("%s\n", np_buf_str(&text));
	np_buf_fini(&text);
}

struct probe {
	struct np_json *rows; /* NULL: text */
	int ret;
};

static void probe_row(const char *name, const struct np_err *why, void *arg)
{
	struct probe *p = arg;
	struct np_json *row;

	if (!p->rows) {
		printf("%s: %s%s%s\n", name, why->code ? "no (" : "yes",
		       why->code ? np_err_text(why) : "", why->code ? ")" : "");
		return;
	}
	row = np_json_obj();
	p->ret = row ? np_json_set_str(row, "name", name) : -ENOMEM;
	if (!p->ret)
		p->ret = np_json_set_bool(row, "usable", !why->code);
	if (!p->ret && why->code)
		p->ret = np_json_set_str(row, "reason", np_err_text(why));
	if (!p->ret)
		p->ret = np_json_add(p->rows, row);
	else
		np_json_put(row);
}

int npctl_probe(void *arg, const struct cli_parse *parse)
{
	const struct npctl_conf *conf = arg;
	struct probe p = {.rows = conf->json ? np_json_arr() : NULL};

	(void)parse;
	np_splice_probe_each(probe_row, &p);
	if (conf->json)
		print_json(p.rows, &p.ret);
	np_json_put(p.rows);
	return p.ret ? 1 : 0;
}

struct totals {
	int64_t held, spliced, closing, orphans, bytes, packets, refused, last_ns;
};

static bool add_flow(const struct npx_key *key, const struct npx_flow *flow, void *arg)
{
	struct totals *t = arg;

	(void)key;
	t->held += flow->state == NPX_HOLD;
	t->spliced += flow->state == NPX_SPLICE;
	t->closing += !!(flow->marks & (NPX_M_FIN | NPX_M_RST));
	t->orphans += kill((pid_t)flow->owner, 0) && errno == ESRCH;
	t->bytes += (int64_t)flow->pos;
	t->packets += (int64_t)flow->packets;
	t->refused += flow->refused;
	if ((int64_t)flow->last_ns > t->last_ns)
		t->last_ns = (int64_t)flow->last_ns;
	return true;
}

static int show(const struct npctl_conf *conf, const struct totals *t)
{
	const struct {
		const char *key, *text;
		int64_t value;
	} rows[] = {
		{"directions", "directions in express", t->spliced},
		{"held", "directions on hold", t->held},
		{"closing", "directions that have ended", t->closing},
		{"orphans", "directions whose relay is gone", t->orphans},
		{"bytes", "bytes", t->bytes},
		{"packets", "segments as received", t->packets},
		{"refused", "segments outside of the window", t->refused},
		{"idle_ms", "ms since the last byte",
		 t->last_ns ? np_clock_mono_ms() - t->last_ns / 1000000 : 0},
	};
	struct np_json *json = conf->json ? np_json_obj() : NULL;
	int ret = conf->json && !json ? -ENOMEM : 0;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) && !ret; i++) {
		if (json)
			ret = np_json_set_int(json, rows[i].key, rows[i].value);
		else
			printf("%-32s %lld\n", rows[i].text, (long long)rows[i].value);
	}
	if (json)
		print_json(json, &ret);
	np_json_put(json);
	return ret ? 1 : 0;
}

int npctl_express_status(void *arg, const struct cli_parse *parse)
{
	struct np_bpfobj *obj = NULL;
	struct np_err err = NP_ERR_INIT;
	struct totals t = {0};
	int ret;

	(void)parse;
	np_bpfobj_quieten();
	ret = np_bpfobj_peek(&obj, &err);
	if (!ret)
		ret = np_bpfobj_each(obj, add_flow, &t);
	np_bpfobj_close(obj);
	if (ret && ret != -ENOENT) {
		err.code = ret;
		return npctl_fail(&err);
	}
	return show(arg, &t);
}

int npctl_express_flush(void *arg, const struct cli_parse *parse)
{
	struct np_err err = NP_ERR_INIT;

	(void)arg;
	(void)parse;
	return np_bpfobj_flush(&err) ? npctl_fail(&err) : 0;
}
