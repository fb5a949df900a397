// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"

#include "base/clock.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN 2048

static np_log_sink current_sink;
static void *sink_arg;
static enum np_log_level max_level = NP_LOG_INFO;

static const char *const level_names[] = { "error", "warning", "info", "debug", "trace" };
static const int level_syslog[] = { 3, 4, 6, 7, 7 };

void np_log_set_sink(np_log_sink sink, void *arg)
{
	current_sink = sink;
	sink_arg = arg;
}

void np_log_set_level(enum np_log_level level)
{
	max_level = level;
}

bool np_log_enabled(enum np_log_level level)
{
	return current_sink && level <= max_level;
}

/*
 * Bytes of the well-formed UTF-8 character that starts at @src; 0 when there is none or it is a
 * control.
 */
static size_t utf8_len(const char *src)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t len = 0, i;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (s[0] >= 0xc2 && s[0] < 0xf5)
		len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, overlong forms, surrogates, beyond U+10FFFF. */
	if ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) ||
	    (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return len;
}

/* Outside text may hold anything: a control character or an escape never reaches the terminal. */
static void escape_line(char *dst, size_t size, const char *src, bool json)
{
	size_t n = 0, len;

	while (*src && n + 7 < size) {
		len = utf8_len(src);
		if (!len) {
			n += (size_t)snprintf(dst + n, size - n, json ? "\\u%04x" : "\\x%02x",
					      (unsigned char)*src++);
			continue;
		}
		if (json && (*src == '"' || *src == '\\'))
			dst[n++] = '\\';
		memcpy(dst + n, src, len);
		n += len;
		src += len;
	}
	dst[n] = '\0';
}

/*
 * The variable is inherited by programs whose stderr went elsewhere: it holds only for the very
 * same file.
 */
static bool is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return env && sscanf(env, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

static void stderr_sink(enum np_log_level level, const char *line, void *arg)
{
	char esc[LINE_MAX_LEN * 2], now[32];
	bool json = arg != NULL;

	escape_line(esc, sizeof(esc), line, json);
	np_clock_iso_utc(np_clock_wall_ms(), now, sizeof(now));
	if (json)
		dprintf(STDERR_FILENO, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":\"%s\"}\n", now,
			level_names[level], esc);
	else if (is_journal())
		dprintf(STDERR_FILENO, "<%d>%s\n", level_syslog[level], esc);
	else
		dprintf(STDERR_FILENO, "%s %s: %s\n", now, level_names[level], esc);
}

void np_log_open_stderr(bool json)
{
	static char json_mark;

	np_log_set_sink(stderr_sink, json ? &json_mark : NULL);
}

static void vlog(enum np_log_level level, const struct np_err *err, const char *fmt, va_list ap)
{
	char line[LINE_MAX_LEN];
	int n;

	n = vsnprintf(line, sizeof(line), fmt, ap);
	if (err && n >= 0 && (size_t)n < sizeof(line))
		snprintf(line + n, sizeof(line) - (size_t)n, ": %s", np_err_text(err));
	current_sink(level, line, sink_arg);
}

void np_log(enum np_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!np_log_enabled(level))
		return;
	va_start(ap, fmt);
	vlog(level, NULL, fmt, ap);
	va_end(ap);
}

void np_warn_err(const struct np_err *err, const char *fmt, ...)
{
	va_list ap;

	if (!np_log_enabled(NP_LOG_WARN))
		return;
	va_start(ap, fmt);
	vlog(NP_LOG_WARN, err, fmt, ap);
	va_end(ap);
}

bool np_log_may(struct np_log_limit *limit, unsigned int burst, unsigned int window_ms)
{
	long long now = np_clock_mono_ms();

	if (!limit->since_ms || now - limit->since_ms >= window_ms) {
		limit->since_ms = now;
		limit->passed = 0;
	}
	if (limit->passed < burst) {
		limit->passed++;
		return true;
	}
	limit->dropped++;
	return false;
}
