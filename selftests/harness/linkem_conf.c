// SPDX-License-Identifier: BSD-3-Clause
#include "linkem_conf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 24

struct param {
	const char *name;
	size_t offset;
	double min, max;
	bool is_whole;
	double initial;
	const char *unit;
};

#define PARAM(name, field, min, max, is_whole, initial, unit)                                      \
	{                                                                                          \
		name, offsetof(struct linkem_shape, field), min, max, is_whole, initial, unit      \
	}

/* A TAP device takes an MTU from 68 (RFC 791) to 65535 less the Ethernet header. */
static const struct param params[] = {
	PARAM("delay-ms", delay_ms, 0, 60000, false, 0, "milliseconds"),
	PARAM("jitter-ms", jitter_ms, 0, 60000, false, 0, "milliseconds"),
	PARAM("loss", loss, 0, 100, false, 0, "per cent of frames"),
	PARAM("dup", dup, 0, 100, false, 0, "per cent of frames"),
	PARAM("reorder", reorder, 0, 100, false, 0, "per cent of frames"),
	PARAM("rate", rate, 0, 100000, false, 0, "Mbit/s, 0 for no limit"),
	PARAM("limit", limit, 1, 1000000, true, 1000, "waiting packets"),
	PARAM("mtu", mtu, 68, 65521, true, 1500, "bytes"),
};

#define NR_PARAMS (sizeof(params) / sizeof(params[0]))

_Static_assert(NR_PARAMS * 3 == LINKEM_CONF_OPTIONS, "one option per parameter and prefix");

static const char *const prefixes[] = { "", "left-", "right-" };

static double *field(struct linkem_shape *shape, const struct param *p)
{
	return (double *)((char *)shape + p->offset);
}

void linkem_conf_init(struct linkem_conf *conf)
{
	for (size_t i = 0; i < NR_PARAMS; i++) {
		*field(&conf->shape[LINKEM_LEFT], &params[i]) = params[i].initial;
		*field(&conf->shape[LINKEM_RIGHT], &params[i]) = params[i].initial;
	}
}

int linkem_parse_number(const char *text, double *out)
{
	char *end;

	/* strtod alone also takes "nan", "0x1p3" and "1e9". */
	if (!*text || strspn(text, "0123456789.") != strlen(text) || strlen(text) > NAME_MAX_LEN)
		return -EINVAL;
	*out = strtod(text, &end);
	return *end || end == text ? -EINVAL : 0;
}

/* Find the parameter and the sides that a name stands for. */
static const struct param *find(const char *name, bool sides[LINKEM_SIDES])
{
	sides[LINKEM_LEFT] = strncmp(name, "right-", 6) != 0;
	sides[LINKEM_RIGHT] = strncmp(name, "left-", 5) != 0;
	if (!sides[LINKEM_LEFT])
		name += 6;
	else if (!sides[LINKEM_RIGHT])
		name += 5;
	for (size_t i = 0; i < NR_PARAMS; i++)
		if (!strcmp(params[i].name, name))
			return &params[i];
	return NULL;
}

int linkem_conf_set(struct linkem_conf *conf, const char *name, const char *value, char *msg)
{
	bool sides[LINKEM_SIDES];
	const struct param *p = find(name, sides);
	double num;

	if (!p) {
		snprintf(msg, LINKEM_MSG_MAX, "unknown parameter");
		return -ENOENT;
	}
	if (linkem_parse_number(value, &num) || num < p->min || num > p->max ||
	    (p->is_whole && num != (double)(long)num)) {
		snprintf(msg, LINKEM_MSG_MAX, "expected a %s from %g to %.0f (%s)",
			 p->is_whole ? "whole number" : "number", p->min, p->max, p->unit);
		return -EINVAL;
	}
	for (int side = 0; side < LINKEM_SIDES; side++)
		if (sides[side])
			*field(&conf->shape[side], p) = num;
	return 0;
}

int linkem_conf_check(const struct linkem_conf *conf, char *msg)
{
	for (int side = 0; side < LINKEM_SIDES; side++) {
		const struct linkem_shape *s = &conf->shape[side];

		/* A frame can only overtake others that are still under way. */
		if (s->reorder > 0 && s->delay_ms <= 0) {
			snprintf(msg, LINKEM_MSG_MAX,
				 "%sreorder %g: needs a %sdelay-ms above 0 to overtake within",
				 prefixes[side + 1], s->reorder, prefixes[side + 1]);
			return -EINVAL;
		}
	}
	return 0;
}

int linkem_conf_line(struct linkem_conf *conf, char *line, char *msg)
{
	static const char blank[] = " \t\r";
	struct linkem_conf next = *conf;
	char *save = NULL;
	char *name = strtok_r(line, blank, &save);
	char *value = strtok_r(NULL, blank, &save);
	char why[LINKEM_MSG_MAX - 64];
	int ret;

	if (!name)
		return 0;
	if (!value || strtok_r(NULL, blank, &save)) {
		snprintf(msg, LINKEM_MSG_MAX, "%.24s: expected \"PARAMETER VALUE\"", name);
		return -EINVAL;
	}
	ret = linkem_conf_set(&next, name, value, msg);
	if (ret) {
		snprintf(why, sizeof(why), "%s", msg);
		snprintf(msg, LINKEM_MSG_MAX, "%.24s %.24s: %s", name, value, why);
		return ret;
	}
	ret = linkem_conf_check(&next, msg);
	if (!ret)
		*conf = next;
	return ret;
}

size_t linkem_conf_options(struct option *opts, int val)
{
	static char names[LINKEM_CONF_OPTIONS][NAME_MAX_LEN];
	size_t n = 0;

	for (size_t i = 0; i < NR_PARAMS; i++) {
		for (size_t k = 0; k < 3; k++, n++) {
			snprintf(names[n], NAME_MAX_LEN, "%s%s", prefixes[k], params[i].name);
			opts[n] = (struct option){ names[n], required_argument, NULL, val };
		}
	}
	return n;
}
