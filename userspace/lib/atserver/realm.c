// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/realm.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECRET_FILE_MAX 4096

int np_realm_path(const char *dir, const char *name, char out[PATH_MAX], struct np_err *err)
{
	if ((size_t)snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return np_fail(err, -ENAMETOOLONG, "%.80s...: path too long", dir);
	return 0;
}

int np_realm_resolve(const char *conf_path, const char *path, char out[PATH_MAX],
		     struct np_err *err)
{
	const char *slash = strrchr(conf_path, '/');
	int dir_len = *path != '/' && slash ? (int)(slash - conf_path) + 1 : 0;

	if ((size_t)snprintf(out, PATH_MAX, "%.*s%s", dir_len, conf_path, path) >= PATH_MAX)
		return np_fail(err, -ENAMETOOLONG, "%.80s...: path too long", path);
	return 0;
}

int np_realm_secret_path(const char *secrets_dir, const char *atsign, char out[PATH_MAX],
			 struct np_err *err)
{
	if ((size_t)snprintf(out, PATH_MAX, "%s/%s.cram", secrets_dir, atsign) >= PATH_MAX)
		return np_fail(err, -ENAMETOOLONG, "%.80s...: path too long", secrets_dir);
	return 0;
}

static bool is_one_line(const struct np_secret *secret)
{
	size_t i;

	for (i = 0; i < secret->len; i++)
		if (secret->data[i] <= ' ' || secret->data[i] == 0x7f)
			return false;
	return secret->len > 0;
}

int np_realm_read_secret(const char *secrets_dir, const char *atsign, struct np_secret *out,
			 struct np_err *err)
{
	char path[PATH_MAX];
	int fd, ret;

	ret = np_realm_secret_path(secrets_dir, atsign, path, err);
	if (ret)
		return ret;
	fd = np_fd_open_private(path, err);
	if (fd < 0)
		return fd;
	ret = np_secret_read(out, fd, SECRET_FILE_MAX);
	np_fd_close(&fd);
	if (ret)
		return np_fail_errno(err, ret, "CRAM secret %s: cannot read", path);
	np_secret_trim(out);
	if (is_one_line(out))
		return 0;
	np_secret_fini(out);
	return np_fail(err, -EBADMSG, "CRAM secret %s: is not one line of text without spaces",
		       path);
}
