// SPDX-License-Identifier: BSD-3-Clause
#include "base/err.h"
#include "base/log.h"
#include "harness/ktap.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char seen[4096];
static int nr_lines;
static enum np_log_level seen_level;

static void sink(enum np_log_level level, const char *line, void *arg)
{
	KTAP_OK(arg == &nr_lines);
	nr_lines++;
	seen_level = level;
	snprintf(seen, sizeof(seen), "%s", line);
}

static void levels_filter(void)
{
	np_info("dropped without a sink");
	np_log_set_sink(sink, &nr_lines);
	np_log_set_level(NP_LOG_INFO);
	np_debug("no");
	KTAP_EQ(nr_lines, 0);
	KTAP_OK(!np_log_enabled(NP_LOG_DEBUG));
	np_error("pair %d: closed", 42);
	KTAP_EQ(nr_lines, 1);
	KTAP_EQ(seen_level, NP_LOG_ERR);
	KTAP_STREQ(seen, "pair 42: closed");
	np_log_set_sink(NULL, NULL);
	KTAP_OK(!np_log_enabled(NP_LOG_ERR));
}

static void warn_err_appends_the_message(void)
{
	struct np_err err = NP_ERR_INIT;

	np_fail(&err, -EIO, "cannot");
	np_log_set_sink(sink, &nr_lines);
	np_warn_err(&err, "relay %s", "r");
	KTAP_STREQ(seen, "relay r: cannot");
	KTAP_EQ(seen_level, NP_LOG_WARN);
	np_log_set_sink(NULL, NULL);
}

static void long_lines_are_cut(void)
{
	char big[8000];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	np_log_set_sink(sink, &nr_lines);
	np_info("%s", big);
	KTAP_OK(strlen(seen) > 1000 && strlen(seen) < 3000);
	np_log_set_sink(NULL, NULL);
}

/* What one line looks like on stderr, without its line feed. */
static const char *on_stderr(bool json, const char *text)
{
	static char out[16384];
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	ssize_t n;

	if (!file || saved < 0)
		abort();
	dup2(fileno(file), STDERR_FILENO);
	np_log_open_stderr(json);
	np_warn("%s", text);
	np_log_set_sink(NULL, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(fileno(file), out, sizeof(out) - 1, 0);
	out[n > 0 ? n - 1 : 0] = '\0';
	fclose(file);
	return out;
}

static void outside_text_forges_no_line(void)
{
	const char *out = on_stderr(
		false, "peer \"x\"\nerror: fake \x1b[2J\x7f\x80\xc2\x9b gr\xc3\xbc\xc3\x9f");

	KTAP_OK(strstr(out, " warning: peer \"x\"\\x0aerror: fake \\x1b[2J\\x7f\\x80\\xc2\\x9b "
			    "gr\xc3\xbc\xc3\x9f"));
	KTAP_OK(!strchr(out, '\n'));
}

static void json_lines_are_json(void)
{
	const char *out =
		on_stderr(true, "a\"b\\c\n\xff\xc3\xbc\xed\xa0\x80\xf0\x9f\x98\x80\xe2\x82");

	KTAP_OK(strstr(out, "\"level\":\"warning\",\"msg\":"
			    "\"a\\\"b\\\\c\\u000a\\u00ff\xc3\xbc\\u00ed\\u00a0\\u0080"
			    "\xf0\x9f\x98\x80\\u00e2\\u0082\"}"));
	KTAP_OK(out[0] == '{');
}

static void worst_case_fits(void)
{
	char bad[3000];
	const char *out;

	memset(bad, 1, sizeof(bad) - 1);
	bad[sizeof(bad) - 1] = '\0';
	out = on_stderr(true, bad);
	KTAP_OK(strlen(out) > 2000);
	KTAP_STREQ(out + strlen(out) - 8, "\\u0001\"}");
}

static void journal_prefix_only_under_the_journal(void)
{
	char text[64];
	struct stat st;
	const char *out;

	setenv("JOURNAL_STREAM", "1:2", 1);
	out = on_stderr(false, "x");
	KTAP_OK(out[0] != '<');
	KTAP_OK(strstr(out, " warning: x"));
	/* The journal's own case: the variable names the file that stderr is. */
	if (fstat(STDERR_FILENO, &st))
		abort();
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	KTAP_OK(on_stderr(false, "x")[0] != '<');
	unsetenv("JOURNAL_STREAM");
}

static void journal_lines_carry_the_level(void)
{
	FILE *file = tmpfile();
	char text[64], out[64] = "";
	int saved = dup(STDERR_FILENO);
	struct stat st;

	if (!file || saved < 0 || fstat(fileno(file), &st))
		abort();
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	dup2(fileno(file), STDERR_FILENO);
	np_log_open_stderr(false);
	np_warn("x");
	np_log_set_sink(NULL, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	if (pread(fileno(file), out, sizeof(out) - 1, 0) < 0)
		abort();
	KTAP_STREQ(out, "<4>x\n");
	unsetenv("JOURNAL_STREAM");
	fclose(file);
}

static void limit_counts_what_it_drops(void)
{
	struct np_log_limit limit = { 0 };
	int i, passed = 0;

	for (i = 0; i < 100; i++)
		passed += np_log_may(&limit, 5, 600000);
	KTAP_EQ(passed, 5);
	KTAP_EQ(limit.dropped, 95);
	KTAP_OK(np_log_may(&limit, 5, 0));
}

int main(void)
{
	KTAP_RUN(levels_filter);
	KTAP_RUN(warn_err_appends_the_message);
	KTAP_RUN(long_lines_are_cut);
	KTAP_RUN(outside_text_forges_no_line);
	KTAP_RUN(json_lines_are_json);
	KTAP_RUN(worst_case_fits);
	KTAP_RUN(journal_prefix_only_under_the_journal);
	KTAP_RUN(journal_lines_carry_the_level);
	KTAP_RUN(limit_counts_what_it_drops);
	return ktap_done();
}
