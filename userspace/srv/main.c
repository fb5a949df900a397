// SPDX-License-Identifier: BSD-3-Clause
/* srv: joins local programs and the relay for one session (noports.md 6, 12.5). */
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/opt.h"
#include "noports/bridge.h"
#include "noports/mux.h"
#include "secrets.h"

#include <ev.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The interface of published peers, not the project's own exit codes. */
#define EXIT_ARGUMENTS 1
#define EXIT_FAILURE_200 200
#define LOG_KEEP_MAX (16u << 10)

struct srv_conf {
	const char *host, *local_host;
	uint16_t port, local_port;
	uint64_t timeout_s, heartbeat_s, secrets_fd;
	int relay_auth_mode;
	bool bind_local_port, rv_auth, rv_e2ee, multi;
};

enum { MODE_PAYLOAD, MODE_ESCR };
static const char *const relay_auth_modes[] = {"payload", "escr", NULL};

static const struct cli_opt opts[] = {
	CLI_STR("host", 'h', "HOST", struct srv_conf, host, "relay host", CLI_REQUIRED),
	CLI_PORT("port", 'p', "PORT", struct srv_conf, port, "relay port", CLI_REQUIRED, .min = 1),
	CLI_PORT("local-port", 0, "PORT", struct srv_conf, local_port,
		 "port to connect to, or to listen on with --bind-local-port", 0, .min = 1),
	CLI_STR("local-host", 0, "HOST", struct srv_conf, local_host,
		"host to connect to, or the address to listen on with --bind-local-port", 0),
	CLI_U64("timeout", 0, "SECONDS", struct srv_conf, timeout_s,
		"how long to wait for the local program and the relay; with --multi: end when "
		"nothing is open after so long",
		1, 31622400, 0),
	CLI_FLAG("bind-local-port", 0, struct srv_conf, bind_local_port,
		 "client side: listen, for one connection or with --multi for many", 0),
	CLI_FLAG("multi", 0, struct srv_conf, multi,
		 "many connections in one session, asked for over a control socket", 0),
	CLI_U64("heartbeat", 0, "SECONDS", struct srv_conf, heartbeat_s,
		"with --multi --bind-local-port: how often to say that we are there, 0 for never",
		0, 31622400, 0),
	CLI_BOOL("rv-auth", 0, struct srv_conf, rv_auth,
		 "authenticate to the relay with the line in RV_AUTH", 0),
	CLI_ENUM(
		"relay-auth-mode", 'a', "MODE", struct srv_conf, relay_auth_mode,
		"payload: as --rv-auth says; escr: answer the relay's challenge, with the means in "
		"REMOTE_AUTH_ESCR_*",
		relay_auth_modes),
	CLI_BOOL("rv-e2ee", 0, struct srv_conf, rv_e2ee,
		 "encrypt with RV_AES_C2D, RV_IV_C2D and RV_AES_D2C, RV_IV_D2C (or RV_AES, RV_IV)",
		 0),
	CLI_U64("secrets-fd", 0, "N", struct srv_conf, secrets_fd,
		"read these variables as KEY=value lines from this descriptor instead", 3, INT_MAX,
		0),
	CLI_END};

static const struct cli_prog prog = {
	.name = "srv",
	.purpose = "bridge between local programs and the relay, for one session",
	.opts = opts,
	.footer = "When the bridge stands, 'rv started successfully' is written to stderr, which\n"
		  "is then let go. Exit status: 0 session over, 1 bad arguments, 200 failed (the\n"
		  "reason is on stderr or, when that is gone, in srv.PID.log in TMPDIR).",
};

struct srv {
	struct ev_loop *loop;
	struct np_bridge *bridge; /* or with --multi */
	struct np_mux *mux;
	struct np_buf log; /* kept for a failure that nobody would hear of otherwise */
	bool is_ready;
	int status;
};

static void keep_line(enum np_log_level level, const char *line, void *arg)
{
	struct srv *srv = arg;

	(void)level;
	if (srv->log.len < LOG_KEEP_MAX)
		np_buf_printf(&srv->log, "%s\n", line);
}

/* A new file only: names in a shared folder can be guessed. */
static void write_log(struct srv *srv)
{
	const char *dir = getenv("TMPDIR");
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/srv.%d.log", dir && *dir ? dir : "/tmp", (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	(void)np_fd_write_all(fd, srv->log.data, srv->log.len);
	np_fd_close(&fd);
}

static void detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	for (fd = 0; null >= 0 && fd < 3; fd++)
		(void)dup2(null, fd);
	if (null > 2)
		np_fd_close(&null);
}

static void ready(struct srv *srv, uint16_t local_port)
{
	static const char line[] = "rv started successfully\n";

	np_info("bridge: ready local-port=%u", local_port);
	srv->is_ready = true;
	(void)np_fd_write_all(STDERR_FILENO, line, sizeof(line) - 1);
	detach();
}

static void fail(struct srv *srv, const struct np_err *err)
{
	char line[320];
	int n;

	srv->status = EXIT_FAILURE_200;
	np_warn_err(err, "bridge: failed");
	n = snprintf(line, sizeof(line), "Exception running srv: %s\n", np_err_text(err));
	if (!srv->is_ready)
		(void)np_fd_write_all(STDERR_FILENO, line, (size_t)n);
	write_log(srv);
}

static void over(struct srv *srv, const struct np_err *err)
{
	/* A session that was joined and then reset ended as when a program is killed. */
	if (err->code && err->code != -ECONNRESET && err->code != -EPIPE)
		fail(srv, err);
	ev_break(srv->loop, EVBREAK_ALL);
}

static void on_ready(struct np_bridge *bridge, uint16_t local_port, void *arg)
{
	(void)bridge;
	ready(arg, local_port);
}

static void on_end(struct np_bridge *bridge, const struct np_err *err, void *arg)
{
	struct srv *srv = arg;

	np_bridge_close(bridge);
	srv->bridge = NULL;
	over(srv, err);
}

static void on_mux_ready(struct np_mux *mux, uint16_t local_port, void *arg)
{
	(void)mux;
	ready(arg, local_port);
}

static void on_mux_end(struct np_mux *mux, const struct np_err *err, void *arg)
{
	struct srv *srv = arg;

	np_mux_close(mux);
	srv->mux = NULL;
	over(srv, err);
}

static int open_bridge(struct srv *srv, const struct srv_conf *conf,
		       const struct srv_secrets *secrets, struct np_err *err)
{
	uint64_t timeout_ms = conf->timeout_s * 1000;
	struct np_bridge_params params = {
		.loop = srv->loop,
		.side = conf->bind_local_port ? NP_BRIDGE_CLIENT : NP_BRIDGE_DAEMON,
		.local = conf->bind_local_port ? NP_LOCAL_LISTEN : NP_LOCAL_CONNECT,
		.relay_host = conf->host,
		.relay_port = conf->port,
		.local_host = conf->local_host,
		.local_port = conf->local_port,
		.auth_line = secrets->auth.len ? np_secret_str(&secrets->auth) : NULL,
		.escr = secrets->escr.key ? &secrets->escr : NULL,
		.keys = &secrets->keys,
		.timeout_ms = (unsigned int)(timeout_ms > UINT_MAX ? UINT_MAX : timeout_ms),
		.on_ready = on_ready,
		.on_end = on_end,
		.arg = srv,
	};

	return np_bridge_open(&params, &srv->bridge, err);
}

static int open_mux(struct srv *srv, const struct srv_conf *conf, const struct srv_secrets *secrets,
		    struct np_err *err)
{
	struct np_mux_params params = {
		.loop = srv->loop,
		.side = conf->bind_local_port ? NP_BRIDGE_CLIENT : NP_BRIDGE_DAEMON,
		.relay_host = conf->host,
		.relay_port = conf->port,
		.local_host = conf->local_host,
		.local_port = conf->local_port,
		.auth_line = secrets->auth.len ? np_secret_str(&secrets->auth) : NULL,
		.escr = secrets->escr.key ? &secrets->escr : NULL,
		.keys = &secrets->keys,
		.timeout_ms = conf->timeout_s * 1000,
		.heartbeat_ms = conf->heartbeat_s * 1000,
		.on_ready = on_mux_ready,
		.on_end = on_mux_end,
		.arg = srv,
	};

	return np_mux_open(&params, &srv->mux, err);
}

static int run(const struct srv_conf *conf, const struct srv_secrets *secrets)
{
	struct srv srv = {.loop = ev_default_loop(0), .log = NP_BUF_INIT};
	struct np_err err = NP_ERR_INIT;

	np_log_set_sink(keep_line, &srv);
	if (!srv.loop)
		np_fail(&err, -ENOMEM, "cannot make an event loop");
	else if (conf->multi)
		open_mux(&srv, conf, secrets, &err);
	else
		open_bridge(&srv, conf, secrets, &err);
	if (err.code)
		fail(&srv, &err);
	else
		ev_run(srv.loop, 0);
	np_log_set_sink(NULL, NULL);
	np_buf_fini(&srv.log);
	return srv.status;
}

int main(int argc, char **argv)
{
	struct srv_conf conf = {
		.local_port = 22,
		.local_host = "localhost",
		.timeout_s = 60,
		.heartbeat_s = 1800,
	};
	struct srv_secrets secrets = {0};
	struct srv_needs needs;
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = np_cli_start(&parse, &prog, argc, argv, &conf);
	if (status == 2)
		status = EXIT_ARGUMENTS;
	if (status != CLI_GO_ON)
		goto out;
	needs = (struct srv_needs){
		.auth = conf.rv_auth && conf.relay_auth_mode == MODE_PAYLOAD,
		.keys = conf.rv_e2ee,
		.escr = conf.relay_auth_mode == MODE_ESCR,
		.is_side_a = conf.bind_local_port,
	};
	if (srv_secrets_read(conf.secrets_fd ? (int)conf.secrets_fd : -1, &needs, &secrets, &err)) {
		(void)np_cli_usage_exit(&parse, &err);
		status = EXIT_ARGUMENTS;
	} else {
		status = run(&conf, &secrets);
	}
out:
	srv_secrets_fini(&secrets);
	np_cli_fini(&parse);
	return status;
}
