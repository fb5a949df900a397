// SPDX-License-Identifier: BSD-3-Clause
#include "ev/child.h"

#include "base/err.h"
#include "base/fd.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct np_child {
	ev_child watch;
	struct ev_loop *loop;
	np_child_cb on_exit;
	void *arg;
	pid_t pid;
};

static void on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct np_child *child = (struct np_child *)w;

	(void)revents;
	ev_child_stop(loop, w);
	if (child->on_exit)
		child->on_exit(child, w->rstatus, child->arg);
	free(child);
}

/* Runs in the child: only async-signal-safe calls until exec. */
static void become_program(const struct np_child_params *p, int report_fd)
{
	int safe[16], code;
	unsigned int i;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (p->new_session)
		setsid();
	/* First away from all targets, so that no pair overwrites the source of another. */
	report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, 100);
	for (i = 0; i < p->nr_fds; i++)
		safe[i] = fcntl(p->fds[i][0], F_DUPFD_CLOEXEC, 100);
	/* Ours are CLOEXEC by themselves; these are what we were started with. */
	(void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	for (i = 0; i < p->nr_fds; i++)
		if (safe[i] < 0 || dup2(safe[i], p->fds[i][1]) < 0)
			goto fail;
	if (p->env)
		environ = (char **)p->env;
	execvp(p->argv[0], p->argv);
fail:
	code = errno;
	(void)!write(report_fd, &code, sizeof(code));
	_exit(127);
}

static int spawn(const struct np_child_params *p, pid_t *pid, struct np_err *err)
{
	int report[2], code = 0;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) < 0)
		return np_fail_errno(err, errno, "%s: cannot start", p->argv[0]);
	*pid = fork();
	if (*pid == 0)
		become_program(p, report[1]);
	np_fd_close(&report[1]);
	if (*pid < 0) {
		np_fd_close(&report[0]);
		return np_fail_errno(err, errno, "%s: cannot start", p->argv[0]);
	}
	do {
		n = read(report[0], &code, sizeof(code));
	} while (n < 0 && errno == EINTR);
	np_fd_close(&report[0]);
	if (n == (ssize_t)sizeof(code)) {
		waitpid(*pid, NULL, 0);
		return np_fail_errno(err, code, "%s: cannot run", p->argv[0]);
	}
	return 0;
}

int np_child_start(const struct np_child_params *params, struct np_child **out, struct np_err *err)
{
	struct np_child *child = NULL;
	pid_t pid;
	int ret;

	if (params->nr_fds > 16)
		return -EINVAL;
	if (params->loop) {
		child = calloc(1, sizeof(*child));
		if (!child)
			return np_fail(err, -ENOMEM, "%s: out of memory", params->argv[0]);
	}
	ret = spawn(params, &pid, err);
	if (ret) {
		free(child);
		return ret;
	}
	if (!child)
		return 0;
	child->loop = params->loop;
	child->on_exit = params->on_exit;
	child->arg = params->arg;
	child->pid = pid;
	ev_child_init(&child->watch, on_child, pid, 0);
	ev_child_start(params->loop, &child->watch);
	*out = child;
	return 0;
}

pid_t np_child_pid(const struct np_child *child)
{
	return child->pid;
}

int np_child_sibling(const char *name, char *dst, size_t size)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (len > 0) {
		exe[len] = '\0';
		slash = strrchr(exe, '/');
		if ((size_t)snprintf(dst, size, "%.*s/%s", (int)(slash - exe), exe, name) < size &&
		    access(dst, X_OK) == 0)
			return 0;
	}
	return (size_t)snprintf(dst, size, "%s", name) < size ? 0 : -ENAMETOOLONG;
}

void np_child_forget(struct np_child *child)
{
	if (!child)
		return;
	ev_child_stop(child->loop, &child->watch);
	free(child);
}
