// SPDX-License-Identifier: BSD-3-Clause
#include "base/err.h"
#include "harness/ktap.h"

#include <errno.h>

static void fail_fills_and_returns(void)
{
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_fail(&err, -EACCES, "file %s: %d", "x", 3), -EACCES);
	KTAP_EQ(err.code, -EACCES);
	KTAP_STREQ(err.msg, "file x: 3");
}

static void null_is_allowed(void)
{
	KTAP_EQ(np_fail(NULL, -EIO, "x"), -EIO);
	KTAP_EQ(np_fail_errno(NULL, EIO, "x"), -EIO);
	KTAP_EQ(np_err_prefix(NULL, "x"), 0);
}

static void errno_text_is_appended(void)
{
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_fail_errno(&err, ENOENT, "file x"), -ENOENT);
	KTAP_STREQ(err.msg, "file x: No such file or directory");
	KTAP_EQ(np_fail_errno(&err, -ENOENT, "file y"), -ENOENT);
	KTAP_STREQ(err.msg, "file y: No such file or directory");
}

static void prefix_goes_before(void)
{
	struct np_err err = NP_ERR_INIT;

	np_fail(&err, -EPROTO, "no answer");
	KTAP_EQ(np_err_prefix(&err, "relay %s", "r"), -EPROTO);
	KTAP_STREQ(err.msg, "relay r: no answer");
}

static void long_messages_are_cut(void)
{
	struct np_err err = NP_ERR_INIT;
	char big[1000];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	np_fail(&err, -EINVAL, "%s", big);
	KTAP_EQ(strlen(err.msg), sizeof(err.msg) - 1);
	np_err_prefix(&err, "%s", big);
	KTAP_EQ(strlen(err.msg), sizeof(err.msg) - 1);
	np_fail_errno(&err, EINVAL, "%s", big);
	KTAP_EQ(strlen(err.msg), sizeof(err.msg) - 1);
}

static void text_is_never_empty(void)
{
	struct np_err err = NP_ERR_INIT;

	KTAP_STREQ(np_err_text(&err), "no error");
	err.code = -EPIPE;
	KTAP_STREQ(np_err_text(&err), "Broken pipe");
	np_fail(&err, -EPIPE, "peer left");
	KTAP_STREQ(np_err_text(&err), "peer left");
}

int main(void)
{
	KTAP_RUN(fail_fills_and_returns);
	KTAP_RUN(null_is_allowed);
	KTAP_RUN(errno_text_is_appended);
	KTAP_RUN(prefix_goes_before);
	KTAP_RUN(long_messages_are_cut);
	KTAP_RUN(text_is_never_empty);
	return ktap_done();
}
