// SPDX-License-Identifier: BSD-3-Clause
#include "sshcmd.h"

#include "base/buf.h"
#include "base/str.h"
#include "conf.h"
#include "noports/flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sshcmd_fini(struct sshcmd *cmd)
{
	unsigned int i;

	for (i = 0; i < cmd->nr; i++)
		free(cmd->argv[i]);
	memset(cmd, 0, sizeof(*cmd));
}

static void add(struct sshcmd *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct sshcmd *cmd, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (cmd->nr >= SSHCMD_MAX_ARGS || vasprintf(&text, fmt, ap) < 0)
		cmd->failed = 1;
	else
		cmd->argv[cmd->nr++] = text;
	va_end(ap);
	cmd->argv[cmd->nr] = NULL;
}

static void add_option(struct sshcmd *cmd, const char *option)
{
	add(cmd, "-o");
	add(cmd, "%s", option);
}

/* One key per device, whatever the local port is today: host-key checking stays meaningful. */
static void add_host_key_alias(struct sshcmd *cmd, const struct sshnp_conf *conf)
{
	add(cmd, "-o");
	add(cmd, "HostKeyAlias=%s%s", conf->device, conf->to);
}

/* An item may hold several words, "-L 8080:localhost:80", as in the published sshnp. */
static void add_user_options(struct sshcmd *cmd, const struct sshnp_conf *conf)
{
	const char *cursor, *word;
	size_t i, len;

	for (i = 0; i < conf->ssh_options.nr; i++)
		for (cursor = conf->ssh_options.items[i]; (word = np_str_next(&cursor, ' ', &len));)
			if (len)
				add(cmd, "%.*s", (int)len, word);
}

void sshcmd_user(struct sshcmd *cmd, const struct sshnp_conf *conf, const struct np_flow_result *result,
		 uint16_t local_port)
{
	add(cmd, "ssh");
	add(cmd, "-p");
	add(cmd, "%u", local_port);
	add_host_key_alias(cmd, conf);
	if (conf->identity_file) {
		add_option(cmd, "StrictHostKeyChecking=accept-new");
		add_option(cmd, "IdentitiesOnly=yes");
	}
	if (conf->encrypt || !conf->add_forwards_to_tunnel)
		add_user_options(cmd, conf);
	if (result->remote_user[0])
		add(cmd, "%s@localhost", result->remote_user);
	else
		add(cmd, "localhost");
	if (conf->identity_file) {
		add(cmd, "-i");
		add(cmd, "%s", conf->identity_file);
	}
}

void sshcmd_tunnel(struct sshcmd *cmd, const struct sshnp_conf *conf, const struct np_flow_result *result,
		   uint16_t rv_port, uint16_t local_port, const char *key_file)
{
	const char *user = conf->tunnel_user && *conf->tunnel_user ? conf->tunnel_user : result->remote_user;

	add(cmd, "ssh");
	add(cmd, "%s@localhost", user);
	add(cmd, "-p");
	add(cmd, "%u", rv_port);
	add(cmd, "-i");
	add(cmd, "%s", key_file);
	add(cmd, "-L");
	add(cmd, "%u:localhost:%u", local_port, conf->remote_sshd_port);
	add_host_key_alias(cmd, conf);
	add_option(cmd, "LogLevel=VERBOSE");
	add(cmd, "-t");
	add(cmd, "-t");
	add_option(cmd, "StrictHostKeyChecking=accept-new");
	add_option(cmd, "IdentitiesOnly=yes");
	add_option(cmd, "BatchMode=yes");
	add_option(cmd, "ExitOnForwardFailure=yes");
	add(cmd, "-n");
	add(cmd, "-f");
	if (conf->add_forwards_to_tunnel)
		add_user_options(cmd, conf);
	add(cmd, "sleep");
	add(cmd, "15");
}

static int append_quoted(struct np_buf *out, const char *word)
{
	int ret = 0;

	if (np_str_is_charset(word, "_-+=@:,./%"))
		return np_buf_append_str(out, word);
	ret = np_buf_append_str(out, "'");
	for (; !ret && *word; word++)
		ret = *word == '\'' ? np_buf_append_str(out, "'\\''") : np_buf_append(out, word, 1);
	return ret ? ret : np_buf_append_str(out, "'");
}

int sshcmd_text(const struct sshcmd *cmd, struct np_buf *out)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < cmd->nr; i++) {
		if (i)
			ret = np_buf_append_str(out, " ");
		if (!ret)
			ret = append_quoted(out, cmd->argv[i]);
	}
	return ret;
}
