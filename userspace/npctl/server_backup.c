// SPDX-License-Identifier: BSD-3-Clause
/* npctl server backup, restore: copies of everything that a server stores. */
#include "npctl.h"

#include "atserver/realm.h"
#include "base/err.h"
#include "base/str.h"
#include "server.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct cli_opt npctl_server_restore_opts[] = {
	CLI_FLAG("replace", 0, struct npctl_conf, server.replace,
		 "what the server has stored so far is lost", 0),
	CLI_END
};

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

int server_open(struct realm *realm, const char *where, bool read_only, struct np_err *err)
{
	if (is_folder(where))
		return realm_open(realm, where, read_only, err);
	memset(realm, 0, sizeof(*realm));
	if (access(where, F_OK))
		return np_fail_errno(err, errno, "store %.150s", where);
	if (np_str_copy(realm->data, sizeof(realm->data), where))
		return np_fail(err, -ENAMETOOLONG, "store: path too long");
	return np_store_open_sqlite(where, read_only, &realm->store, err);
}

int server_data_path(const char *where, char out[PATH_MAX], struct np_err *err)
{
	struct realm realm;
	int ret;

	if (!is_folder(where))
		return np_str_copy(out, PATH_MAX, where)
			       ? np_fail(err, -ENAMETOOLONG, "store: path too long")
			       : 0;
	ret = realm_conf(&realm, where, err);
	return ret ? ret : np_str_copy(out, PATH_MAX, realm.data);
}

int npctl_server_backup(void *conf, const struct cli_parse *parse)
{
	struct np_err err = NP_ERR_INIT;
	struct realm realm;
	struct stat st;
	int ret;

	(void)conf;
	ret = server_open(&realm, parse->args[0], true, &err);
	if (!ret)
		ret = realm.store->ops->backup(realm.store, parse->args[1], &err);
	realm_close(&realm);
	if (ret)
		return npctl_fail(&err);
	printf("%s: complete", parse->args[1]);
	if (!stat(parse->args[1], &st))
		printf(", %lld bytes", (long long)st.st_size);
	printf("; keep it as safe as the server, it holds the keys that the server signs with\n");
	return 0;
}

int npctl_server_restore(void *arg, const struct cli_parse *parse)
{
	const struct npctl_conf *conf = arg;
	struct np_err err = NP_ERR_INIT;
	char path[PATH_MAX], folder[PATH_MAX], *slash;
	int ret;

	ret = server_data_path(parse->args[0], path, &err);
	if (!ret)
		ret = np_store_restore_sqlite(path, parse->args[1], conf->server.replace, &err);
	if (ret == -EEXIST)
		np_err_prefix(&err, "--replace is needed");
	if (!ret) {
		np_str_copy(folder, sizeof(folder), path);
		slash = strrchr(folder, '/');
		if (slash)
			*slash = '\0';
		ret = realm_give_to_owner(slash ? folder : ".", path, &err);
	}
	if (ret)
		return npctl_fail(&err);
	printf("%s: restored from %s; start atserverd again\n", path, parse->args[1]);
	return 0;
}
