// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/key.h"

#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Code point at *@p, which advances; 0 for malformed UTF-8 and at the end. */
static uint32_t next_char(const unsigned char **p)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = *p;
	unsigned int len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2, i;
	uint32_t c;

	if (!s[0] || (s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4)
		return 0;
	c = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	*p = s + len;
	return c;
}

static bool is_name_char(uint32_t c)
{
	if (c < 0x80)
		return c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.-'*\"",
				   (int)c);
	return c == 0xa9 || c == 0xae || (c >= 0x2000 && c <= 0x3300) ||
	       (c >= 0xfe00 && c <= 0xfe0f) || c >= 0x10000;
}

bool np_key_is_name(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	if (!*p)
		return false;
	while (*p)
		if (!is_name_char(next_char(&p)))
			return false;
	return true;
}

static size_t nr_chars(const char *text)
{
	size_t nr = 0;

	for (; *text; text++)
		nr += ((unsigned char)*text & 0xc0) != 0x80;
	return nr;
}

/* Copies without spaces and in lower case. */
static int squeeze(const char *text, char *dst, size_t size)
{
	size_t len = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		if (len + 1 >= size)
			return -ENAMETOOLONG;
		dst[len++] = *text;
	}
	dst[len] = '\0';
	np_str_lower(dst);
	return 0;
}

static bool skip(char **p, const char *prefix)
{
	if (!np_str_starts(*p, prefix))
		return false;
	*p += strlen(prefix);
	return true;
}

/* Takes "@with:" off the front when it is there. */
static int take_with(char **p, struct np_key *key, struct np_err *err)
{
	char *colon;

	if (**p != '@')
		return 0;
	colon = strchr(*p, ':');
	if (!colon)
		return np_fail(err, -EINVAL, "key has '@' in front but no ':' behind the atSign");
	*colon = '\0';
	if (np_atsign_parse(*p, key->with, err))
		return -EINVAL;
	*p = colon + 1;
	return 0;
}

static int take_name(char *p, const char *dflt_owner, struct np_key *key, struct np_err *err)
{
	char *at = strrchr(p, '@');

	if (at) {
		if (np_atsign_parse(at, key->owner, err))
			return -EINVAL;
		*at = '\0';
	} else if (dflt_owner) {
		np_str_copy(key->owner, sizeof(key->owner), dflt_owner);
	} else if (key->type != NP_KEY_PRIVATEKEY) {
		return np_fail(err, -EINVAL, "key names no owner");
	}
	if (!np_key_is_name(p))
		return np_fail(err, -EINVAL, "'%.80s' is no valid key name", p);
	return np_str_copy(key->name, sizeof(key->name), p);
}

static void classify(struct np_key *key, bool cached, bool is_public, bool is_private)
{
	if (is_private)
		key->type = NP_KEY_PRIVATE;
	else if (is_public)
		key->type = cached ? NP_KEY_CACHED_PUBLIC : NP_KEY_PUBLIC;
	else if (cached)
		key->type = NP_KEY_CACHED_SHARED;
	else if (key->with[0] && strcmp(key->with, key->owner))
		key->type = NP_KEY_SHARED;
	else
		key->type = NP_KEY_SELF;
}

static int compose(struct np_key *key, bool cached, struct np_err *err)
{
	static const char *const fronts[] = {
		[NP_KEY_PUBLIC] = "public:",
		[NP_KEY_SHARED] = "",
		[NP_KEY_SELF] = "",
		[NP_KEY_PRIVATE] = "private:",
		[NP_KEY_CACHED_PUBLIC] = "cached:public:",
		[NP_KEY_CACHED_SHARED] = "cached:",
		[NP_KEY_PRIVATEKEY] = "privatekey:",
	};
	size_t max = cached ? NP_KEY_CACHED_CHARS : NP_KEY_CHARS;
	int len = snprintf(key->text, sizeof(key->text), "%s%s%s%s%s", fronts[key->type], key->with,
			   key->with[0] ? ":" : "", key->name, key->owner);

	if (len < 0 || (size_t)len >= sizeof(key->text) || nr_chars(key->text) > max)
		return np_fail(err, -EINVAL, "key length is greater than %zu characters", max);
	return 0;
}

int np_key_parse(const char *text, const char *dflt_owner, struct np_key *out, struct np_err *err)
{
	char copy[NP_KEY_MAX], *p = copy;
	bool cached, is_public, is_private;

	memset(out, 0, sizeof(*out));
	if (squeeze(text, copy, sizeof(copy)))
		return np_fail(err, -EINVAL, "key length is greater than %d characters",
			       NP_KEY_CHARS);
	if (skip(&p, "privatekey:")) {
		out->type = NP_KEY_PRIVATEKEY;
		if (take_name(p, NULL, out, err))
			return -EINVAL;
		out->owner[0] = '\0';
		return compose(out, false, err);
	}
	out->type = NP_KEY_SELF;
	cached = skip(&p, "cached:");
	is_private = !cached && skip(&p, "private:");
	is_public = !is_private && skip(&p, "public:");
	if (!is_public && take_with(&p, out, err))
		return -EINVAL;
	if (take_name(p, dflt_owner, out, err))
		return -EINVAL;
	if (cached && !is_public && !out->with[0])
		return np_fail(err, -EINVAL,
			       "a cached key is cached:public:... or cached:@atsign:...");
	classify(out, cached, is_public, is_private);
	return compose(out, cached, err);
}

const char *np_key_namespace(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : "";
}

bool np_key_is_reserved(const struct np_key *key)
{
	static const char *const names[] = {"publickey",  "signing_publickey", "signing_privatekey",
					    "shared_key", "blocklist",	       "configkey"};
	size_t i;

	if (key->type == NP_KEY_PRIVATEKEY || np_str_starts(key->name, "shared_key."))
		return true;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(key->name, names[i]))
			return true;
	return false;
}

bool np_key_is_kept(const char *text)
{
	return strstr(text, ".__public_keys.") || strstr(text, ".__private_keys.") ||
	       strstr(text, ".__self_keys.");
}

bool np_key_is_logged(const char *text)
{
	if (np_str_starts(text, "private:") || np_str_starts(text, "privatekey:") ||
	    np_str_starts(text, "local:") || np_key_is_kept(text))
		return false;
	if (np_str_starts(text, "public:_"))
		return np_str_starts(text, "public:__") && !strstr(text, ".__pkams.__public_keys@");
	return !strstr(text, ".__manage@");
}
