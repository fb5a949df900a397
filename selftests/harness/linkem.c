// SPDX-License-Identifier: BSD-3-Clause
/*
 * linkem joins two TAP devices with delay, jitter, loss, duplication, reordering, a rate, a queue
 * limit and an MTU. Documentation/linkem.md says what each of them means.
 */
#include "linkem_conf.h"
#include "linkem_link.h"
#include "linkem_tap.h"

#include "base/clock.h"
#include "base/ready.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Frames taken from one side before the other side and the clock get their turn. */
#define BATCH 64

/* The largest MTU of a TAP device, an Ethernet header and a VLAN tag. */
#define FRAME_MAX (65521 + 14 + 4)

#define LINE_MAX_LEN 128

enum { POLL_LEFT, POLL_RIGHT, POLL_SIGNAL, POLL_STDIN, NR_POLL };

struct linkem {
	struct linkem_conf conf;
	struct linkem_tap tap[LINKEM_SIDES];
	struct linkem_dir dir[LINKEM_SIDES]; /* indexed by the sending side */
	uint64_t seed;
	int ready_fd;
	int signal_fd;
	char line[LINE_MAX_LEN];
	size_t line_len;
	bool is_line_too_long;
	bool is_stdin_open;
	bool is_stopping;
};

static const char *const side_names[] = { "left", "right" };

static int64_t now_ns(void)
{
	return (int64_t)np_clock_mono_ns();
}

static void print_usage(void)
{
	fputs("usage: linkem [--left [NETNS:]IFNAME] [--right [NETNS:]IFNAME]\n"
	      "              [--delay-ms N] [--jitter-ms N] [--loss PCT] [--dup PCT]\n"
	      "              [--reorder PCT] [--rate MBIT] [--limit PACKETS] [--mtu N]\n"
	      "              [--left-PARAMETER N] [--right-PARAMETER N] [--seed N] [--ready-fd N]\n"
	      "\n"
	      "Joins two TAP devices. A parameter with left- or right- in front is for the frames\n"
	      "that this side sends. Parameters change at run time by lines on standard input,\n"
	      "such as \"loss 100\". SIGUSR1 prints counters, SIGTERM prints them and ends.\n",
	      stdout);
}

static int bad_flag(const char *flag, const char *value, const char *form)
{
	fprintf(stderr, "linkem: --%s %s: %s\n", flag, value, form);
	return 2;
}

enum { OPT_PARAM = 256, OPT_LEFT, OPT_RIGHT, OPT_SEED, OPT_READY_FD, OPT_HELP };

static int take_option(struct linkem *em, int opt, const char *name, const char *value)
{
	char msg[LINKEM_MSG_MAX];
	uint64_t num;

	switch (opt) {
	case OPT_LEFT:
	case OPT_RIGHT:
		if (linkem_tap_parse(&em->tap[opt - OPT_LEFT], value))
			return bad_flag(name, value,
					"expected NETNS:IFNAME or IFNAME (at most 15 bytes)");
		return 0;
	case OPT_SEED:
		if (np_str_u64(value, 0, UINT64_MAX, &em->seed))
			return bad_flag(name, value, "expected a whole number from 0 to 2^64 - 1");
		return 0;
	case OPT_READY_FD:
		/* Standard output is for the counters. */
		if (np_str_u64(value, STDERR_FILENO + 1, INT_MAX, &num) ||
		    fcntl((int)num, F_GETFD) < 0)
			return bad_flag(name, value,
					"expected the number of an open descriptor above 2");
		em->ready_fd = (int)num;
		return 0;
	default: /* OPT_PARAM */
		if (linkem_conf_set(&em->conf, name, value, msg))
			return bad_flag(name, value, msg);
		return 0;
	}
}

/* Return -1 to go on, else the exit code. */
static int parse_options(struct linkem *em, int argc, char **argv)
{
	struct option opts[LINKEM_CONF_OPTIONS + 6];
	size_t n = linkem_conf_options(opts, OPT_PARAM);
	char msg[LINKEM_MSG_MAX];
	int opt, index, ret;

	opts[n++] = (struct option){ "left", required_argument, NULL, OPT_LEFT };
	opts[n++] = (struct option){ "right", required_argument, NULL, OPT_RIGHT };
	opts[n++] = (struct option){ "seed", required_argument, NULL, OPT_SEED };
	opts[n++] = (struct option){ "ready-fd", required_argument, NULL, OPT_READY_FD };
	opts[n++] = (struct option){ "help", no_argument, NULL, OPT_HELP };
	opts[n] = (struct option){ 0 };
	while ((opt = getopt_long(argc, argv, ":", opts, &index)) != -1) {
		if (opt == OPT_HELP) {
			print_usage();
			return 0;
		}
		if (opt == ':' || opt == '?') {
			const char short_flag[] = { '-', (char)optopt, '\0' };

			fprintf(stderr, "linkem: %s: %s (see --help)\n",
				optopt > 0 && optopt < OPT_PARAM ? short_flag : argv[optind - 1],
				opt == ':' ? "expected a value" : "no such flag");
			return 2;
		}
		ret = take_option(em, opt, opts[index].name, optarg);
		if (ret)
			return ret;
	}
	if (optind < argc) {
		fprintf(stderr, "linkem: %s: expected a flag (see --help)\n", argv[optind]);
		return 2;
	}
	if (linkem_conf_check(&em->conf, msg)) {
		fprintf(stderr, "linkem: --%s\n", msg);
		return 2;
	}
	return -1;
}

static void print_direction(const struct linkem *em, enum linkem_side from)
{
	const struct linkem_dir *dir = &em->dir[from];
	const struct linkem_counters *c = &dir->count;

	printf("\"%s_to_%s\":{\"in_packets\":%" PRIu64 ",\"in_bytes\":%" PRIu64
	       ",\"out_packets\":%" PRIu64 ",\"out_bytes\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"dropped_queue\":%" PRIu64
	       ",\"dropped_mtu\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"held\":%" PRIu64
	       ",\"missed\":%" PRIu64 "}",
	       side_names[from], side_names[!from], c->in_packets, c->in_bytes, c->out_packets,
	       c->out_bytes, c->lost, c->duplicated, c->reordered, c->dropped_queue,
	       c->dropped_mtu, c->refused, linkem_dir_nr_held(dir),
	       linkem_tap_dropped(&em->tap[from]));
}

static void print_counters(const struct linkem *em)
{
	printf("{\"event\":\"counters\",");
	print_direction(em, LINKEM_LEFT);
	putchar(',');
	print_direction(em, LINKEM_RIGHT);
	printf("}\n");
	fflush(stdout);
}

static void take_line(struct linkem *em)
{
	char msg[LINKEM_MSG_MAX], *line = em->line;

	em->line[em->line_len] = '\0';
	if (em->is_line_too_long || strlen(line) != em->line_len) {
		fprintf(stderr, "linkem: stdin: expected a line of text of at most %d bytes\n",
			LINE_MAX_LEN - 1);
	} else if (linkem_conf_line(&em->conf, line, msg)) {
		fprintf(stderr, "linkem: stdin: %s\n", msg);
	} else if (line[strspn(line, " \t\r")]) {
		/* A test that waits for this line knows that the change is in force. */
		printf("{\"event\":\"set\",\"parameter\":\"%s\"}\n", line + strspn(line, " \t"));
		fflush(stdout);
	}
	em->line_len = 0;
	em->is_line_too_long = false;
}

static void read_stdin(struct linkem *em)
{
	char buf[512];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		em->is_stdin_open = false;
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n')
			take_line(em);
		else if (em->line_len < sizeof(em->line) - 1)
			em->line[em->line_len++] = buf[i];
		else
			em->is_line_too_long = true;
	}
}

static void read_signal(struct linkem *em)
{
	struct signalfd_siginfo info;

	if (read(em->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		print_counters(em);
	else
		em->is_stopping = true;
}

/* Return 0, or a negative errno when the device is no more. */
static int read_frames(struct linkem *em, enum linkem_side side)
{
	static unsigned char buf[FRAME_MAX];
	ssize_t n;

	for (int i = 0; i < BATCH; i++) {
		n = read(em->tap[side].fd, buf, sizeof(buf));
		if (n >= 0)
			linkem_dir_input(&em->dir[side], buf, (size_t)n, now_ns());
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Wait for a frame, a signal, a line or the next due frame. */
static int wait_for_event(struct linkem *em, struct pollfd fds[NR_POLL])
{
	int64_t next_at = LINKEM_NEVER, wait_ns;
	struct timespec ts, *timeout = NULL;

	for (int side = 0; side < LINKEM_SIDES; side++) {
		int64_t at = linkem_dir_next_at(&em->dir[side]);

		next_at = at < next_at ? at : next_at;
	}
	if (next_at != LINKEM_NEVER) {
		wait_ns = next_at - now_ns();
		if (wait_ns < 0)
			wait_ns = 0;
		ts.tv_sec = wait_ns / 1000000000;
		ts.tv_nsec = wait_ns % 1000000000;
		timeout = &ts;
	}
	fds[POLL_STDIN].fd = em->is_stdin_open ? STDIN_FILENO : -1;
	if (ppoll(fds, NR_POLL, timeout, NULL) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static int run(struct linkem *em)
{
	struct pollfd fds[NR_POLL] = {
		[POLL_LEFT] = { .fd = em->tap[LINKEM_LEFT].fd, .events = POLLIN },
		[POLL_RIGHT] = { .fd = em->tap[LINKEM_RIGHT].fd, .events = POLLIN },
		[POLL_SIGNAL] = { .fd = em->signal_fd, .events = POLLIN },
		[POLL_STDIN] = { .events = POLLIN },
	};
	int ret;

	while (!em->is_stopping) {
		ret = wait_for_event(em, fds);
		if (ret) {
			fprintf(stderr, "linkem: cannot wait: %s\n", strerror(-ret));
			return 1;
		}
		for (int side = 0; side < LINKEM_SIDES; side++) {
			linkem_dir_run(&em->dir[side], now_ns());
			ret = fds[side].revents ? read_frames(em, side) : 0;
			if (ret) {
				fprintf(stderr, "linkem: %s %s: the device is gone: %s\n",
					side_names[side], em->tap[side].ifname, strerror(-ret));
				return 1;
			}
			linkem_dir_run(&em->dir[side], now_ns());
		}
		if (fds[POLL_STDIN].revents)
			read_stdin(em);
		if (fds[POLL_SIGNAL].revents)
			read_signal(em);
	}
	return 0;
}

static int open_signals(struct linkem *em)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	/* Who reads the output may go away first; the link goes on. */
	signal(SIGPIPE, SIG_IGN);
	if (!sigprocmask(SIG_BLOCK, &set, NULL))
		em->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (em->signal_fd < 0)
		fprintf(stderr, "linkem: cannot take signals: %s\n", strerror(errno));
	return em->signal_fd < 0 ? -1 : 0;
}

static void say_ready(const struct linkem *em)
{
	char line[128];

	snprintf(line, sizeof(line), "{\"left\":\"%s\",\"right\":\"%s\"}",
		 em->tap[LINKEM_LEFT].ifname, em->tap[LINKEM_RIGHT].ifname);
	np_ready_announce(em->ready_fd, line);
}

static int serve(struct linkem *em)
{
	int ret;

	if (open_signals(em))
		return 1;
	/* The default lets a timer be 50 us late on purpose. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	for (int side = 0; side < LINKEM_SIDES; side++)
		if (linkem_tap_open(&em->tap[side], (int)em->conf.shape[side].mtu))
			return 1;
	for (int side = 0; side < LINKEM_SIDES; side++)
		linkem_dir_init(&em->dir[side], side, &em->conf.shape[side], em->tap[!side].fd,
				em->seed);
	say_ready(em);
	ret = run(em);
	print_counters(em);
	for (int side = 0; side < LINKEM_SIDES; side++)
		linkem_dir_fini(&em->dir[side]);
	return ret;
}

int main(int argc, char **argv)
{
	static struct linkem em = {
		.seed = 1, .ready_fd = -1, .signal_fd = -1, .is_stdin_open = true
	};
	int fd, ret;

	/* A closed standard descriptor must not become the number of a device or of the signals. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
	linkem_conf_init(&em.conf);
	for (int side = 0; side < LINKEM_SIDES; side++) {
		em.tap[side].fd = em.tap[side].stats_fd = -1;
		linkem_tap_parse(&em.tap[side], "linkem%d");
	}
	ret = parse_options(&em, argc, argv);
	if (ret >= 0)
		return ret;
	ret = serve(&em);
	for (int side = 0; side < LINKEM_SIDES; side++)
		linkem_tap_close(&em.tap[side]);
	if (em.signal_fd >= 0)
		close(em.signal_fd);
	return ret;
}
