// SPDX-License-Identifier: BSD-3-Clause
#include "ev/child.h"

#include "atfake.h"
#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fake_world w; /* only its loop is used */

struct end {
	bool done;
	int status;
	pid_t pid;
};

static void on_exit_cb(struct np_child *child, int status, void *arg)
{
	struct end *end = arg;

	end->done = true;
	end->status = status;
	KTAP_EQ(np_child_pid(child), end->pid);
}

static int start(char *const *argv, char *const *env, const int (*fds)[2], unsigned int nr_fds,
		 struct end *end, struct np_err *err)
{
	struct np_child_params params = {.argv = argv,
					 .env = env,
					 .fds = fds,
					 .nr_fds = nr_fds,
					 .loop = w.loop,
					 .on_exit = on_exit_cb,
					 .arg = end};
	struct np_child *child = NULL;
	int ret = np_child_start(&params, &child, err);

	if (!ret)
		end->pid = np_child_pid(child);
	return ret;
}

static void exit_status_is_reported(void)
{
	char *argv[] = {"sh", "-c", "exit 7", NULL}, *killed[] = {"sh", "-c", "kill -9 $$", NULL};
	struct end end = {0}, end2 = {0};

	KTAP_EQ(start(argv, NULL, NULL, 0, &end, NULL), 0);
	KTAP_OK(fake_run(&w, &end.done, 10000));
	KTAP_OK(WIFEXITED(end.status) && WEXITSTATUS(end.status) == 7);
	KTAP_EQ(start(killed, NULL, NULL, 0, &end2, NULL), 0);
	KTAP_OK(fake_run(&w, &end2.done, 10000));
	KTAP_OK(WIFSIGNALED(end2.status) && WTERMSIG(end2.status) == SIGKILL);
}

static void a_program_that_is_not_there(void)
{
	char *argv[] = {"/nonexistent/program", NULL};
	struct np_err err = NP_ERR_INIT;
	struct end end = {0};

	KTAP_EQ(start(argv, NULL, NULL, 0, &end, &err), -ENOENT);
	KTAP_OK(strstr(err.msg, "/nonexistent/program: cannot run") != NULL);
	/* and it left no zombie */
	KTAP_EQ(waitpid(-1, NULL, WNOHANG), -1);
	KTAP_EQ(errno, ECHILD);
}

/* Runs @script with @fds and returns what it wrote to descriptor 1. */
static const char *output_of(const char *script, char *const *env, const int (*more)[2],
			     unsigned int nr)
{
	static char text[4096];
	char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
	int fds[8][2], out[2];
	struct end end = {0};
	size_t n = 0;
	ssize_t got;

	KTAP_EQ(pipe2(out, O_CLOEXEC), 0);
	fds[0][0] = out[1];
	fds[0][1] = 1;
	if (nr)
		memcpy(fds + 1, more, nr * sizeof(fds[0]));
	KTAP_EQ(start(argv, env, fds, nr + 1, &end, NULL), 0);
	close(out[1]);
	while (n < sizeof(text) - 1 && (got = read(out[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(out[0]);
	KTAP_OK(fake_run(&w, &end.done, 10000));
	return text;
}

static void environment_is_ours_or_given(void)
{
	char *env[] = {"ONLY=this", NULL};

	setenv("NP_TEST_CHILD", "inherited", 1);
	KTAP_STREQ(output_of("printf %s \"$NP_TEST_CHILD\"", NULL, NULL, 0), "inherited");
	KTAP_STREQ(output_of("printf %s \"$NP_TEST_CHILD$ONLY\"", env, NULL, 0), "this");
}

static void descriptors_swap_without_loss(void)
{
	int a[2], b[2], fds[2][2];

	/* each one's target is the other's source */
	KTAP_EQ(pipe2(a, O_CLOEXEC), 0);
	KTAP_EQ(pipe2(b, O_CLOEXEC), 0);
	KTAP_EQ(write(a[1], "A", 1), 1);
	KTAP_EQ(write(b[1], "B", 1), 1);
	close(a[1]);
	close(b[1]);
	KTAP_OK(a[0] < 10 && b[0] < 10);
	fds[0][0] = a[0];
	fds[0][1] = b[0];
	fds[1][0] = b[0];
	fds[1][1] = a[0];
	{
		char script[64];

		snprintf(script, sizeof(script), "cat <&%d; cat <&%d", a[0], b[0]);
		KTAP_STREQ(output_of(script, NULL, (const int(*)[2])fds, 2), "BA");
	}
	close(a[0]);
	close(b[0]);
}

static void nothing_else_is_inherited(void)
{
	int leak = open("/dev/null", O_RDONLY); /* as if our parent had left it open */

	KTAP_OK(leak >= 0);
	/* 0, 1, 2 and the descriptor that ls itself opens */
	KTAP_STREQ(output_of("ls /proc/self/fd | tr '\\n' ' '", NULL, NULL, 0), "0 1 2 3 ");
	close(leak);
}

static void forgotten_children_go_on(void)
{
	char *argv[] = {"sh", "-c", "exit 0", NULL};
	struct np_child_params params = {.argv = argv, .loop = w.loop, .on_exit = on_exit_cb};
	struct np_child *child = NULL;
	int status = 0;

	KTAP_EQ(np_child_start(&params, &child, NULL), 0);
	{
		pid_t pid = np_child_pid(child);

		np_child_forget(child);
		np_child_forget(NULL);
		KTAP_EQ(waitpid(pid, &status, 0), pid);
		KTAP_OK(WIFEXITED(status));
	}
	/* and without a loop from the beginning */
	params.loop = NULL;
	KTAP_EQ(np_child_start(&params, NULL, NULL), 0);
	KTAP_OK(wait(&status) > 0);
}

static void new_session_when_asked(void)
{
	char *argv[] = {"sh", "-c", "[ $(ps -o sid= -p $$) = $$ ]", NULL};
	struct np_child_params params = {.argv = argv, .new_session = true};
	int status = -1;

	KTAP_EQ(np_child_start(&params, NULL, NULL), 0);
	KTAP_OK(wait(&status) > 0);
	KTAP_EQ(status, 0);
}

int main(void)
{
	w.loop = ev_default_loop(0);
	KTAP_RUN(exit_status_is_reported);
	KTAP_RUN(a_program_that_is_not_there);
	KTAP_RUN(environment_is_ours_or_given);
	KTAP_RUN(descriptors_swap_without_loss);
	KTAP_RUN(nothing_else_is_inherited);
	KTAP_RUN(forgotten_children_go_on);
	KTAP_RUN(new_session_when_asked);
	return ktap_done();
}
