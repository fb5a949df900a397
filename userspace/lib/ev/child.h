/* SPDX-License-Identifier: BSD-3-Clause */
/* Child programs: started without a shell, watched, reaped. */
#ifndef NP_EV_CHILD_H
#define NP_EV_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ev_loop;
struct np_err;
struct np_child;

/** typedef np_child_cb - the child ended; @status as of waitpid(). The object is freed after the call. */
typedef void (*np_child_cb)(struct np_child *child, int status, void *arg);

/**
 * struct np_child_params - how to start a program.
 * @argv: NULL terminated; argv[0] is the path (or a name looked up in PATH)
 * @env: NULL terminated "K=V" list, or NULL for ours
 * @fds: @nr_fds pairs {ours, theirs}; every other descriptor is closed at exec (all of ours are CLOEXEC)
 * @new_session: setsid(), so that it outlives our terminal
 * @loop: the default loop (libev watches children only there); NULL starts the child unwatched
 */
struct np_child_params {
	char *const *argv;
	char *const *env;
	const int (*fds)[2];
	unsigned int nr_fds;
	bool new_session;
	struct ev_loop *loop;
	np_child_cb on_exit;
	void *arg;
};

/**
 * np_child_start() - fork and exec. A failed exec is reported here, with the program's name.
 * @out: may be NULL when @params->loop is NULL
 */
int np_child_start(const struct np_child_params *params, struct np_child **out, struct np_err *err);
pid_t np_child_pid(const struct np_child *child);
/**
 * np_child_sibling() - path of a program of this project: beside the running executable, else its bare name, which
 * is then looked up in PATH. -ENAMETOOLONG.
 */
int np_child_sibling(const char *name, char *dst, size_t size);
/** np_child_forget() - stop watching; the child goes on. The object is freed. NULL is accepted. */
void np_child_forget(struct np_child *child);

#endif
