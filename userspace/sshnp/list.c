// SPDX-License-Identifier: BSD-3-Clause
/*
 * scan -> for each record: read it and ping the device -> wait until all answered, at most WAIT_S -> print.
 * A device is active when its heartbeat arrived.
 */
#include "list.h"

#include "at/client.h"
#include "at/monitor.h"
#include "base/err.h"
#include "base/str.h"
#include "conf.h"
#include "json/json.h"
#include "noports/link.h"

#include <ev.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_S 10.
#define MAX_DEVICES 1000
#define RECORD_REGEX "device_info\\.[a-z0-9_][a-z0-9_\\-]{1,35}\\.sshnp"

struct device {
	struct list *list;
	char name[NP_DEVICE_MAX];
	char owner[NP_ATSIGN_MAX];
	struct np_ping_response info;
	bool have_info, active;
};

struct list {
	const struct sshnp_conf *conf;
	struct np_link link;
	struct np_monitor *monitor;
	ev_timer timer;
	struct device *devices;
	size_t nr, nr_open; /* still without heartbeat or record */
	bool up, done;
	void (*on_done)(const struct np_err *err, void *arg);
	void *arg;
};

static void finish(struct list *list, const struct np_err *err)
{
	if (list->done)
		return;
	list->done = true;
	ev_timer_stop(list->link.loop, &list->timer);
	list->on_done(err, list->arg);
}

static void print_group(const struct list *list, bool active)
{
	size_t i, nr = 0;
	char **item;

	fprintf(stderr, "%s Devices:\n", active ? "Active" : "Inactive");
	for (i = 0; i < list->nr; i++) {
		const struct device *d = &list->devices[i];

		if (d->active != active)
			continue;
		nr++;
		fprintf(stderr, "  %s%s - v%s (core v%s)\n", d->name, list->conf->to[0] ? "" : d->owner,
			d->have_info ? d->info.version : "?", d->have_info ? d->info.core : "?");
		if (!d->info.allowed)
			continue;
		fprintf(stderr, "  - allowedServices:");
		for (item = d->info.allowed; *item; item++)
			fprintf(stderr, " %s", *item);
		fputc('\n', stderr);
	}
	if (!nr)
		fprintf(stderr, "  No devices found\n");
}

static void print_all(struct list *list)
{
	if (!list->nr) {
		fprintf(stderr, "[X] No devices found\n");
	} else {
		print_group(list, true);
		print_group(list, false);
	}
	finish(list, NULL);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	print_all(w->data);
}

static void count_down(struct list *list)
{
	if (--list->nr_open == 0 && !list->done)
		print_all(list);
}

static void on_info(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct device *d = arg;

	if (d->list->done)
		return;
	if (!err->code && np_ping_response_read(data, len, &d->info, NULL) == 0)
		d->have_info = true;
	count_down(d->list);
}

static void on_pinged(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct device *d = arg;

	(void)data;
	(void)len;
	/* A ping that could not even leave will never be answered. */
	if (err->code && !d->list->done)
		count_down(d->list);
}

static void ask_device(struct device *d)
{
	char record[NP_DEVICE_MAX + 24], ping[NP_DEVICE_MAX + 16];
	struct np_at_put put = { .to = d->owner, .name = ping, .value = "ping", .value_len = 4, .ttln_ms = 60000 };

	snprintf(record, sizeof(record), "device_info.%s.sshnp", d->name);
	snprintf(ping, sizeof(ping), "ping.%s.sshnp", d->name);
	d->list->nr_open += 2;
	if (np_at_client_get(d->list->link.client, d->owner, record, true, on_info, d))
		d->list->nr_open--;
	if (np_at_client_notify(d->list->link.client, &put, on_pinged, d))
		d->list->nr_open--;
}

/* Keys look like "[cached:][@me:]device_info.NAME.sshnp@owner". */
static bool parse_key(const char *key, struct device *d)
{
	const char *start = strstr(key, "device_info."), *end, *at;

	if (!start)
		return false;
	start += strlen("device_info.");
	end = strstr(start, ".sshnp@");
	at = end ? end + strlen(".sshnp") : NULL;
	return end && !np_str_copy_n(d->name, sizeof(d->name), start, (size_t)(end - start)) &&
	       !np_atsign_parse(at, d->owner, NULL);
}

static bool is_known(const struct list *list, const struct device *d)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (!strcmp(list->devices[i].name, d->name) && !strcmp(list->devices[i].owner, d->owner))
			return true;
	return false;
}

static void on_scan(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct list *list = arg;
	struct np_err perr = NP_ERR_INIT;
	struct np_json *keys;
	size_t i, n;

	if (list->done)
		return;
	if (err->code) {
		finish(list, err);
		return;
	}
	keys = np_json_parse(data, len, "answer to scan", &perr);
	if (!keys) {
		finish(list, &perr);
		return;
	}
	n = np_json_len(keys);
	list->devices = calloc(n && n < MAX_DEVICES ? n : MAX_DEVICES, sizeof(*list->devices));
	for (i = 0; list->devices && i < n && list->nr < MAX_DEVICES; i++) {
		struct device d = { .list = list };
		const char *key = np_json_str_value(np_json_at(keys, i));

		if (!key || !parse_key(key, &d) || is_known(list, &d))
			continue;
		if (list->conf->to[0] && strcmp(list->conf->to, d.owner))
			continue;
		list->devices[list->nr++] = d;
	}
	np_json_put(keys);
	list->nr_open = 1;
	for (i = 0; i < list->nr; i++)
		ask_device(&list->devices[i]);
	ev_timer_start(list->link.loop, &list->timer);
	count_down(list);
}

static void on_note(const struct np_at_notification *n, void *arg)
{
	struct list *list = arg;
	size_t i;

	for (i = 0; i < list->nr && !list->done; i++) {
		struct device *d = &list->devices[i];
		char name[NP_DEVICE_MAX + 24];

		snprintf(name, sizeof(name), "heartbeat.%s.sshnp", d->name);
		if (d->active || strcmp(n->from, d->owner) || strcmp(n->name, name))
			continue;
		d->active = true;
		if (!d->have_info && n->value && np_ping_response_read(n->value, n->value_len, &d->info, NULL) == 0)
			d->have_info = true;
		count_down(list);
		return;
	}
}

static void on_monitor_state(bool up, const struct np_err *err, void *arg)
{
	struct list *list = arg;
	int ret;

	if (list->done || list->up)
		return;
	if (!up) {
		finish(list, err);
		return;
	}
	list->up = true;
	ret = np_at_client_scan(list->link.client, list->conf->to[0] ? list->conf->to : NULL, RECORD_REGEX, on_scan,
				list);
	if (ret) {
		struct np_err e = NP_ERR_INIT;

		np_fail_errno(&e, ret, "cannot ask for the list of devices");
		finish(list, &e);
	}
}

static const struct np_monitor_ops monitor_ops = { .note = on_note, .state = on_monitor_state };

int list_start(struct ev_loop *loop, const struct sshnp_conf *conf,
	       void (*on_done)(const struct np_err *err, void *arg), void *arg, struct list **out, struct np_err *err)
{
	struct np_link_params link;
	struct list *list = calloc(1, sizeof(*list));
	int ret;

	if (!list)
		return np_fail(err, -ENOMEM, "out of memory");
	list->conf = conf;
	list->on_done = on_done;
	list->arg = arg;
	ev_timer_init(&list->timer, on_timer, WAIT_S, 0.);
	list->timer.data = list;
	list->link.loop = loop;
	sshnp_conf_link(conf, loop, &link);
	ret = np_link_open(&list->link, &link, NULL, NULL, err);
	if (!ret)
		ret = np_monitor_open(list->link.client, "heartbeat\\..*\\.sshnp@", 10000, &monitor_ops, list,
				      &list->monitor, err);
	if (ret) {
		list_free(list);
		return ret;
	}
	*out = list;
	return 0;
}

void list_free(struct list *list)
{
	size_t i;

	if (!list)
		return;
	list->done = true;
	ev_timer_stop(list->link.loop, &list->timer);
	np_monitor_close(list->monitor);
	np_link_close(&list->link);
	for (i = 0; i < list->nr; i++)
		np_ping_response_fini(&list->devices[i].info);
	free(list->devices);
	free(list);
}
