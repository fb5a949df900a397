// SPDX-License-Identifier: BSD-3-Clause
#include "sshkeyfile.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_LIMIT 16384

/* ssh-keygen may ask for a pass-phrase on the terminal; only its output is ours. */
static int ask_ssh_keygen(const char *path, struct np_buf *out, struct np_err *err)
{
	char *argv[] = { "ssh-keygen", "-y", "-f", (char *)(uintptr_t)path, NULL };
	posix_spawn_file_actions_t actions;
	int pipefd[2], status = -1, ret;
	uint8_t *room;
	ssize_t n = 0;
	pid_t pid;

	if (pipe(pipefd) < 0)
		return np_fail_errno(err, errno, "ssh-keygen: cannot start");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipefd[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, pipefd[0]);
	ret = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	np_fd_close(&pipefd[1]);
	while (!ret && out->len < LINE_LIMIT && (room = np_buf_reserve(out, 4096)) &&
	       (n = read(pipefd[0], room, 4096)) > 0)
		np_buf_commit(out, (size_t)n);
	np_fd_close(&pipefd[0]);
	if (ret)
		return np_fail_errno(err, ret, "ssh-keygen: cannot start");
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return np_fail(err, -EINVAL, "%s: ssh-keygen cannot read this key", path);
	return 0;
}

static bool is_accepted_type(const char *line)
{
	return np_str_starts(line, "ecdsa-sha2-nistp") || np_str_starts(line, "rsa-sha2-") ||
	       np_str_starts(line, "ssh-rsa") || np_str_starts(line, "ssh-ed25519");
}

int sshkeyfile_public_line(const char *path, struct np_buf *out, struct np_err *err)
{
	char pub[PATH_MAX];
	char *line, *end;
	int ret;

	if ((size_t)snprintf(pub, sizeof(pub), "%s.pub", path) >= sizeof(pub))
		return np_fail(err, -ENAMETOOLONG, "%s: path too long", path);
	ret = access(pub, R_OK) == 0 ? np_file_read(pub, LINE_LIMIT, out, err) : ask_ssh_keygen(path, out, err);
	if (ret)
		return ret;
	line = out->data ? (char *)out->data : NULL;
	end = line ? strchr(line, ' ') : NULL;
	end = end ? end + 1 + strcspn(end + 1, " \r\n") : NULL;
	if (!end || !is_accepted_type(line))
		return np_fail(err, -EINVAL, "%s: is no ed25519, rsa or ecdsa ssh key, which devices accept", path);
	*end = '\0';
	out->len = (size_t)(end - line);
	return 0;
}
