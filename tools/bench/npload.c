// SPDX-License-Identifier: BSD-3-Clause
/* npload: load generator of the benchmarks, needs nothing but libc. */
#include "npload.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EX_USAGE	2

static const char usage[] =
"usage: npload server --listen ADDR [--port N] [--ready-fd N] [--json]\n"
"       npload server --connect ADDR:PORT [--connections N] [--parallel N]\n"
"                     [--payload-auth-file FILE] [--ready-fd N] [--json]\n"
"       npload client MODE --to ADDR:PORT [options] [--json]\n"
"\n"
"Server: listens, or opens connections to a relay's second port: --connections in all\n"
"(0, the default: no end), --parallel of them waiting for a client at any time (1).\n"
"Ends on SIGTERM, or when all its connections out have ended.\n"
"\n"
"Client modes and their options:\n"
"  bulk       --connections N streams for --seconds S, --direction up|down|both\n"
"  ping       --connections N bounce messages of --bytes B for --seconds S\n"
"  rate       --connections N at once: connect, bounce one byte, reset, for --seconds S\n"
"  integrity  --connections N checked streams of --bytes B each way, --seed N\n"
"  short      --connections N in all, --parallel N at once, 1 to --bytes B each,\n"
"             closed right after the write, --direction up|down|both, --seed N\n"
"  stall      sends for --seconds S to a reader that never reads\n"
"  every mode --deadline S: longest wait without progress (20)\n"
"             --payload-auth-file FILE: its line is sent first on every connection\n";

static const struct option long_opts[] = {
	{ "listen",		required_argument, NULL, 'l' },
	{ "port",		required_argument, NULL, 'p' },
	{ "ready-fd",		required_argument, NULL, 'r' },
	{ "connect",		required_argument, NULL, 'c' },
	{ "to",			required_argument, NULL, 't' },
	{ "payload-auth-file",	required_argument, NULL, 'a' },
	{ "connections",	required_argument, NULL, 'n' },
	{ "parallel",		required_argument, NULL, 'P' },
	{ "direction",		required_argument, NULL, 'd' },
	{ "seconds",		required_argument, NULL, 's' },
	{ "bytes",		required_argument, NULL, 'b' },
	{ "seed",		required_argument, NULL, 'S' },
	{ "deadline",		required_argument, NULL, 'D' },
	{ "json",		no_argument,	   NULL, 'j' },
	{ "help",		no_argument,	   NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

/* One role or client mode: which options it takes, its defaults and limits. */
struct mode {
	const char *name;
	int (*main)(const struct opts *o);
	const char *takes;		/* option letters */
	unsigned int connections;
	uint64_t bytes, bytes_max;
};

static const struct mode server_mode = { "server", server_main, "lprcanPj", 0, 0, 0 };

static const struct mode client_modes[] = {
	{ "bulk",	bulk_main,	"tandsDj",	1,	0,	0 },
	{ "ping",	ping_main,	"tansbDj",	1,	1,	64 * 1024 },
	{ "rate",	rate_main,	"tansDj",	1,	0,	0 },
	{ "integrity",	integrity_main,	"tanbSDj",	1,	1 << 20, UINT64_MAX },
	{ "short",	short_main,	"tanPdbSDj",	100,	64 * 1024, UINT64_MAX },
	{ "stall",	stall_main,	"tasDj",	1,	0,	0 },
};

static int parse_u64(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno || !*text || *text == '-' || *end || *out > max ? -EINVAL : 0;
}

static int parse_seconds(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return *text && !*end && *out > 0 && *out <= 86400 ? 0 : -EINVAL;
}

static int parse_direction(const char *text, enum direction *out)
{
	static const char *const names[] = { "up", "down", "both" };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (!strcmp(text, names[i])) {
			*out = (enum direction)(i + 1);
			return 0;
		}
	}
	return -EINVAL;
}

/* Reads the line that the relay wants first, and ends it with the LF that a file may lack. */
static int read_auth(const char *path, struct opts *o)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	o->auth_len = fread(o->auth, 1, sizeof(o->auth) - 1, f);
	fclose(f);
	if (!o->auth_len || o->auth_len == sizeof(o->auth) - 1)
		return -EMSGSIZE;
	if (o->auth[o->auth_len - 1] != '\n')
		o->auth[o->auth_len++] = '\n';
	return 0;
}

static int parse_number(int letter, const char *arg, struct opts *o, int *port)
{
	uint64_t n = 0;
	int ret;

	ret = parse_u64(arg, letter == 'b' || letter == 'S' ? UINT64_MAX : 1000000, &n);
	if (ret)
		return ret;
	switch (letter) {
	case 'p': *port = n <= 65535 ? (int)n : -1; return *port < 0 ? -EINVAL : 0;
	case 'r': o->ready_fd = (int)n; return 0;
	case 'n': o->connections = (unsigned int)n; return 0;
	case 'P': o->parallel = (unsigned int)n; return n ? 0 : -EINVAL;
	case 'b': o->bytes = n; return n ? 0 : -EINVAL;
	case 'S': o->seed = n; return 0;
	default:  o->deadline_ms = (int)n * 1000; return n && n <= 86400 ? 0 : -EINVAL;
	}
}

static int parse_opt(int letter, const char *arg, struct opts *o, const char **listen, int *port)
{
	switch (letter) {
	case 'l':
		*listen = arg;
		o->has_listen = true;
		return 0;
	case 'c':
		o->has_connect = true;
		return addr_parse(&o->connect, arg, -1);
	case 't':
		o->has_to = true;
		return addr_parse(&o->to, arg, -1);
	case 'a':
		return read_auth(arg, o);
	case 'd':
		return parse_direction(arg, &o->direction);
	case 's':
		return parse_seconds(arg, &o->seconds);
	case 'j':
		o->json = true;
		return 0;
	default:
		return parse_number(letter, arg, o, port);
	}
}

static int parse(int argc, char **argv, const struct mode *m, struct opts *o)
{
	const char *listen = NULL;
	int index = 0, port = 0;
	int letter, ret;

	while ((letter = getopt_long(argc, argv, "", long_opts, &index)) != -1) {
		if (letter == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (letter == '?')
			return -EINVAL;
		if (!strchr(m->takes, letter)) {
			complain("%s does not take --%s", m->name, long_opts[index].name);
			return -EINVAL;
		}
		ret = parse_opt(letter, optarg, o, &listen, &port);
		if (ret) {
			complain("--%s %s: %s", long_opts[index].name, optarg, strerror(-ret));
			return ret;
		}
	}
	if (optind < argc) {
		complain("unexpected argument: %s", argv[optind]);
		return -EINVAL;
	}
	if (listen && addr_parse(&o->listen, listen, port)) {
		complain("--listen %s: not a numeric address", listen);
		return -EINVAL;
	}
	return 0;
}

static int check(const struct mode *m, const struct opts *o)
{
	if (m == &server_mode && o->has_listen == o->has_connect)
		complain("server needs either --listen or --connect");
	else if (m != &server_mode && !o->has_to)
		complain("%s needs --to ADDR:PORT", m->name);
	else if (m != &server_mode && !o->connections)
		complain("%s: --connections must be at least 1", m->name);
	else if (o->bytes > m->bytes_max)
		complain("%s: --bytes is at most %llu", m->name, (unsigned long long)m->bytes_max);
	else
		return 0;
	return -EINVAL;
}

static const struct mode *find_mode(int argc, char **argv)
{
	size_t i;

	if (argc >= 2 && !strcmp(argv[1], "server"))
		return &server_mode;
	if (argc < 3 || strcmp(argv[1], "client"))
		return NULL;
	for (i = 0; i < sizeof(client_modes) / sizeof(client_modes[0]); i++) {
		if (!strcmp(argv[2], client_modes[i].name))
			return &client_modes[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct opts o = { .ready_fd = -1, .parallel = 1, .direction = DIR_UP, .seconds = 2,
			  .seed = 1, .deadline_ms = 20000 };
	const struct mode *m = find_mode(argc, argv);
	int skip = m == &server_mode ? 1 : 2;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (!m) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	o.connections = m->connections;
	o.bytes = m->bytes;
	if (parse(argc - skip, argv + skip, m, &o) || check(m, &o)) {
		fputs("npload --help lists the options\n", stderr);
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_fd_limit();
	return m->main(&o);
}
