// SPDX-License-Identifier: BSD-3-Clause
/* otp:get, otp:put (atprotocol.md 15.4). */
#include "atserver/otp.h"

#include "atserver/access.h"
#include "atserver/internal.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define OTP_LEN 6
#define OTP_TTL_MS 300000
#define CODE_MAX 64
#define QUIET_MS 55000
#define KEY_SIZE (NP_ATSIGN_MAX + CODE_MAX + 32)

static void otp_key(struct np_tenant *tenant, const char *code, char dst[KEY_SIZE])
{
	snprintf(dst, KEY_SIZE, "private:%s.__otp%s", code, tenant->name);
	np_str_lower(dst);
}

/* Base 36 without 0 and O, which people mix up; at least one digit. */
static int make(char dst[OTP_LEN + 1])
{
	static const char digits[] = "123456789ABCDEFGHIJKLMNPQRSTUVWXYZ";
	unsigned char raw[64];
	size_t used, have = 0, nr = sizeof(digits) - 1;
	bool digit = false;

	while (have < OTP_LEN || !digit) {
		if (np_rand_bytes(raw, sizeof(raw)))
			return -1;
		have = 0;
		digit = false;
		for (used = 0; used < sizeof(raw) && have < OTP_LEN; used++) {
			if (raw[used] >= 256 / nr * nr)
				continue;
			dst[have] = digits[raw[used] % nr];
			digit |= dst[have++] <= '9';
		}
	}
	dst[OTP_LEN] = '\0';
	return 0;
}

/* "[...]:ttl:<ms>" at the end. Return: -1 for what is no number. */
static int take_ttl(char *rest, int64_t *ttl)
{
	char *at = strstr(rest, ":ttl:");
	uint64_t ms;

	if (!at)
		return 0;
	if (np_str_u64(at + 5, 1, 31557600000ull, &ms))
		return -1;
	*at = '\0';
	*ttl = (int64_t)ms;
	return 0;
}

static void get(struct np_session *s, int64_t ttl)
{
	char code[OTP_LEN + 1], key[KEY_SIZE];

	if (make(code)) {
		np_respond_error(s, "AT0010", "no randomness");
		return;
	}
	otp_key(s->tenant, code, key);
	if (np_rec_put_raw(s->tenant, key, code, np_clock_wall_ms() + (ttl ? ttl : OTP_TTL_MS)))
		np_respond_store(s);
	else
		np_respond_str(s, code);
}

static void put(struct np_session *s, const char *code, int64_t ttl)
{
	char key[KEY_SIZE];

	if (!np_access_manage(s)) {
		np_respond_error(s, "AT0011", "setting a passcode needs access to __manage");
		return;
	}
	if (!np_str_is_charset(code, "_") || strlen(code) < 6 || strlen(code) > CODE_MAX) {
		np_respond_error(s, "AT0003",
				 "Invalid syntax. a passcode has 6 to %d letters, digits or _",
				 CODE_MAX);
		return;
	}
	otp_key(s->tenant, "spp", key);
	if (np_rec_put_raw(s->tenant, key, code, ttl ? np_clock_wall_ms() + ttl : 0))
		np_respond_store(s);
	else
		np_respond_str(s, "ok");
}

void np_verb_otp(struct np_session *s, char *rest)
{
	int64_t ttl = 0;

	if (take_ttl(rest, &ttl))
		np_respond_error(s, "AT0003",
				 "Invalid syntax. otp:get[:ttl:<ms>] or otp:put:<code>[:ttl:<ms>]");
	else if (!strcmp(rest, "get"))
		get(s, ttl);
	else if (np_str_starts(rest, "put:"))
		put(s, rest + 4, ttl);
	else
		np_respond_error(s, "AT0003",
				 "Invalid syntax. otp:get[:ttl:<ms>] or otp:put:<code>[:ttl:<ms>]");
}

bool np_otp_take(struct np_tenant *tenant, const char *code, int *ret)
{
	char key[KEY_SIZE], given[CODE_MAX + 1], want[CODE_MAX + 1];
	struct np_rec rec;
	bool good;

	*ret = 0;
	if (np_str_copy(given, sizeof(given), code) || !np_str_is_charset(code, "_"))
		return false;
	np_str_lower(given);
	otp_key(tenant, "spp", key);
	if (!np_rec_get(tenant, key, &rec)) {
		good = np_rec_is_visible(&rec) && !np_str_copy(want, sizeof(want), rec.value);
		np_rec_fini(&rec);
		if (good) {
			np_str_lower(want);
			if (np_secret_equal(want, strlen(want), given, strlen(given)))
				return true;
		}
	}
	/* "spp" itself names the record above, not a code. */
	if (!strcmp(given, "spp"))
		return false;
	otp_key(tenant, given, key);
	if (np_rec_get(tenant, key, &rec))
		return false;
	good = np_rec_is_visible(&rec);
	np_rec_fini(&rec);
	*ret = np_rec_delete(tenant, key, NULL);
	return good && !*ret;
}

/* 0, 1, 1, 2, 3, 5 ... 55 seconds, from the start again after 55 quiet ones. */
unsigned int np_otp_penalty_ms(struct np_tenant *tenant)
{
	static const unsigned char series[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55};
	long long now = np_clock_mono_ms();

	if (now - tenant->wrong_otp_at_ms > QUIET_MS)
		tenant->nr_wrong_otp = 0;
	tenant->wrong_otp_at_ms = now;
	if (tenant->nr_wrong_otp + 1u < sizeof(series))
		return series[tenant->nr_wrong_otp++] * 1000u;
	return series[sizeof(series) - 1] * 1000u;
}
