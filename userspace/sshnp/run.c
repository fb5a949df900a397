// SPDX-License-Identifier: BSD-3-Clause
/*
 *	--stdio              bridge on standard input and output until it ends
 *	default              bridge in process, listening -> ssh as child -> its exit code
 *	-x                   bridge detached (srv)        -> command printed, exit 0
 *	--no-et (not stdio)  between the two: a tunnel session with the ephemeral key, forwarding the local port
 */
#include "run.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf.h"
#include "ev/child.h"
#include "noports/bridge.h"
#include "noports/srvproc.h"
#include "cli/progress.h"
#include "noports/flow.h"
#include "sshcmd.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCAL_WAIT_MS 30000
#define TUNNEL_TIMEOUT_S 10.

struct run {
	struct ev_loop *loop;
	const struct sshnp_conf *conf;
	struct np_flow_result *result;
	struct np_bridge *bridge;
	struct np_srv *srv; /* detached bridge */
	bool is_printed;    /* the person has the command: the bridge is theirs */
	struct np_child *tunnel, *ssh;
	ev_timer tunnel_timer;
	uint16_t bridge_port; /* where the bridge listens */
	uint16_t user_port;   /* what the user's ssh connects to */
	char key_file[PATH_MAX];
	struct np_err bridge_err; /* why the bridge ended, told when ssh fails too */
	void (*on_done)(int exit_code, const struct np_err *err, void *arg);
	void *arg;
};

static void finish(struct run *run, int exit_code, const struct np_err *err)
{
	run->on_done(exit_code, err, run->arg);
}

static void fail(struct run *run, int code, const char *text)
{
	struct np_err err = NP_ERR_INIT;

	np_fail(&err, code, "%s", text);
	finish(run, 1, &err);
}

int run_is_interactive(const struct run *run)
{
	return run && run->ssh;
}

static void drop_key_file(struct run *run)
{
	if (run->key_file[0])
		unlink(run->key_file);
	run->key_file[0] = '\0';
}

/* ---- the user's session ---- */

static void on_ssh_exit(struct np_child *child, int status, void *arg)
{
	struct run *run = arg;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	(void)child;
	run->ssh = NULL;
	finish(run, code, code == 255 && run->bridge_err.code ? &run->bridge_err : NULL);
}

/* Both kinds of ssh; without it everything else was in vain. */
static int start_child(const struct np_child_params *params, struct np_child **out, struct np_err *err)
{
	int ret = np_child_start(params, out, err);

	if (ret == -ENOENT)
		return np_fail(err, ret, "ssh: cannot run: not found in PATH; install openssh-client");
	return ret;
}

static void print_command(struct run *run, const struct sshcmd *cmd)
{
	struct np_buf line = NP_BUF_INIT;

	if (cmd->failed || sshcmd_text(cmd, &line)) {
		fail(run, -E2BIG, "the ssh command is too long: use fewer --local-ssh-options");
	} else {
		printf("%s\n", np_buf_str(&line));
		run->is_printed = true;
		finish(run, fflush(stdout) ? 1 : 0, NULL);
	}
	np_buf_fini(&line);
}

static void start_ssh(struct run *run, const struct sshcmd *cmd)
{
	struct np_child_params params = { .argv = cmd->argv, .loop = run->loop, .on_exit = on_ssh_exit, .arg = run };
	struct np_err err = NP_ERR_INIT;

	if (cmd->failed)
		fail(run, -E2BIG, "the ssh command is too long: use fewer --local-ssh-options");
	else if (start_child(&params, &run->ssh, &err))
		finish(run, 1, &err);
}

static void start_user_session(struct run *run)
{
	struct sshcmd cmd = { .nr = 0 };

	np_progress("Starting user session");
	sshcmd_user(&cmd, run->conf, run->result, run->user_port);
	if (run->conf->print_command)
		print_command(run, &cmd);
	else
		start_ssh(run, &cmd);
	sshcmd_fini(&cmd);
}

/* ---- the tunnel session of --no-et ---- */

static void on_tunnel_exit(struct np_child *child, int status, void *arg)
{
	struct run *run = arg;

	(void)child;
	run->tunnel = NULL;
	ev_timer_stop(run->loop, &run->tunnel_timer);
	drop_key_file(run);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		start_user_session(run);
	else
		fail(run, -ECONNREFUSED, "the tunnel session did not start: see ssh's message above; the device must "
		     "let the session's key in (its authorized_keys file must exist)");
}

static void on_tunnel_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct run *run = w->data;

	(void)loop;
	(void)revents;
	kill(np_child_pid(run->tunnel), SIGTERM);
	drop_key_file(run);
	fail(run, -ETIMEDOUT, "the tunnel session did not start within 10 s");
}

static int write_key_file(struct run *run, struct np_err *err)
{
	const char *home = getenv("HOME");
	char dir[PATH_MAX - 64];
	int ret;

	if (!home || (size_t)snprintf(dir, sizeof(dir), "%s/.sshnp", home) >= sizeof(dir))
		return np_fail(err, -ENOENT, "HOME is not set: the session's key has no place");
	ret = np_dir_make(dir, 0700, err);
	if (ret)
		return ret;
	snprintf(run->key_file, sizeof(run->key_file), "%s/ephemeral_%s", dir, run->result->sid);
	return np_file_create_new(run->key_file, run->result->ephemeral_key.data, run->result->ephemeral_key.len, 0600,
				  err);
}

static void start_tunnel(struct run *run)
{
	struct sshcmd cmd = { .nr = 0 };
	/* It stays in the background: whoever reads our standard output must not wait for it. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[][2] = { { null, STDOUT_FILENO } };
	struct np_child_params params = {
		.argv = cmd.argv, .loop = run->loop, .on_exit = on_tunnel_exit, .arg = run,
		.fds = fds, .nr_fds = null >= 0,
	};
	struct np_err err = NP_ERR_INIT;

	if (!run->result->ephemeral_key.len) {
		np_fd_close(&null);
		fail(run, -EPROTO, "Expected an ephemeral private key from sshnpd, but it was not set");
		return;
	}
	np_progress("Starting tunnel session");
	if (write_key_file(run, &err)) {
		np_fd_close(&null);
		finish(run, 1, &err);
		return;
	}
	sshcmd_tunnel(&cmd, run->conf, run->result, run->bridge_port, run->user_port, run->key_file);
	if (cmd.failed || start_child(&params, &run->tunnel, &err)) {
		finish(run, 1, err.code ? &err : NULL);
	} else {
		ev_timer_set(&run->tunnel_timer, TUNNEL_TIMEOUT_S, 0.);
		ev_timer_start(run->loop, &run->tunnel_timer);
	}
	np_fd_close(&null);
	sshcmd_fini(&cmd);
}

static void go_on(struct run *run)
{
	if (run->conf->stdio)
		return;
	if (run->conf->encrypt) {
		run->user_port = run->bridge_port;
		start_user_session(run);
	} else {
		start_tunnel(run);
	}
}

/* ---- the bridge ---- */

static void on_bridge_ready(struct np_bridge *bridge, uint16_t local_port, void *arg)
{
	struct run *run = arg;

	(void)bridge;
	run->bridge_port = local_port;
	go_on(run);
}

static void on_bridge_end(struct np_bridge *bridge, const struct np_err *err, void *arg)
{
	struct run *run = arg;

	(void)bridge;
	if (err->code)
		run->bridge_err = *err;
	if (run->conf->stdio)
		finish(run, err->code ? 1 : 0, err->code ? err : NULL);
	else if (!run->ssh && !run->tunnel)
		finish(run, 1, err);
	else if (err->code)
		np_warn_err(err, "relay connection of session %s ended", run->result->sid);
}

static int open_bridge(struct run *run, struct np_err *err)
{
	struct np_bridge_params params = {
		.loop = run->loop, .side = NP_BRIDGE_CLIENT,
		.local = run->conf->stdio ? NP_LOCAL_FDS : NP_LOCAL_LISTEN,
		.relay_host = run->result->relay.address, .relay_port = run->result->relay.port_a,
		.local_host = "127.0.0.1", .local_port = run->conf->encrypt ? run->conf->local_port : 0,
		.fd_in = -1, .fd_out = -1,
		.auth_line = run->result->auth_line.len ? np_buf_str(&run->result->auth_line) : NULL,
		.relay_fd = run->result->relay_fd >= 0 ? &run->result->relay_fd : NULL,
		.keys = &run->result->keys, .timeout_ms = LOCAL_WAIT_MS,
		.on_ready = on_bridge_ready, .on_end = on_bridge_end, .arg = run,
	};

	if (run->conf->stdio) {
		params.fd_in = dup(STDIN_FILENO);
		params.fd_out = dup(STDOUT_FILENO);
		if (params.fd_in < 0 || params.fd_out < 0)
			return np_fail_errno(err, errno, "standard input and output must be open with --stdio");
	}
	np_progress("Creating connection to socket rendezvous");
	return np_bridge_open(&params, &run->bridge, err);
}

static void on_srv_started(struct np_srv *srv, const struct np_err *err, void *arg)
{
	struct run *run = arg;

	(void)srv;
	if (!err->code) {
		go_on(run);
		return;
	}
	run->srv = NULL; /* it frees itself after a failed start */
	finish(run, 1, err);
}

static void on_srv_exit(struct np_srv *srv, int status, void *arg)
{
	struct run *run = arg;

	(void)srv;
	(void)status;
	run->srv = NULL;
}

static int start_detached(struct run *run, struct np_err *err)
{
	struct np_srv_params params = {
		.loop = run->loop, .side = NP_BRIDGE_CLIENT, .relay_host = run->result->relay.address,
		.relay_port = run->result->relay.port_a, .local_host = "127.0.0.1", .local_port = run->bridge_port,
		.timeout_s = LOCAL_WAIT_MS / 1000,
		.auth_line = run->result->auth_line.len ? np_buf_str(&run->result->auth_line) : NULL,
		.keys = &run->result->keys, .on_started = on_srv_started, .on_exit = on_srv_exit, .arg = run,
	};

	return np_srv_start(&params, &run->srv, err);
}

int run_start(struct ev_loop *loop, const struct sshnp_conf *conf, struct np_flow_result *result,
	      void (*on_done)(int exit_code, const struct np_err *err, void *arg), void *arg, struct run **out,
	      struct np_err *err)
{
	struct run *run = calloc(1, sizeof(*run));
	int ret = 0;

	if (!run)
		return np_fail(err, -ENOMEM, "out of memory");
	run->loop = loop;
	run->conf = conf;
	run->result = result;
	run->on_done = on_done;
	run->arg = arg;
	ev_init(&run->tunnel_timer, on_tunnel_timeout);
	run->tunnel_timer.data = run;
	run->user_port = conf->local_port;
	if (!conf->stdio && !conf->encrypt)
		ret = np_srv_pick_port("localhost", &run->user_port, err);
	if (!ret && conf->print_command) {
		run->bridge_port = conf->encrypt ? conf->local_port : 0;
		ret = np_srv_pick_port("localhost", &run->bridge_port, err);
		if (!ret)
			ret = start_detached(run, err);
	} else if (!ret) {
		ret = open_bridge(run, err);
	}
	*out = run;
	if (ret) {
		run_free(run);
		*out = NULL;
	}
	return ret;
}

void run_free(struct run *run)
{
	if (!run)
		return;
	ev_timer_stop(run->loop, &run->tunnel_timer);
	if (run->ssh)
		kill(np_child_pid(run->ssh), SIGTERM);
	if (run->tunnel)
		kill(np_child_pid(run->tunnel), SIGTERM);
	if (run->srv && !run->is_printed)
		kill(np_srv_pid(run->srv), SIGTERM);
	np_child_forget(run->ssh);
	np_child_forget(run->tunnel);
	np_bridge_close(run->bridge);
	np_srv_forget(run->srv);
	drop_key_file(run);
	free(run);
}
