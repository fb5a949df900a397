// SPDX-License-Identifier: BSD-3-Clause
/*
 * The relay core with a verifier of the test's own: the line "good" is valid, "hold" is not known
 * yet.
 */
#include "relay/relay.h"

#include "splice_peer.h"

#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"
#include "net/addr.h"
#include "net/sock.h"
#include "splice/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ev_loop *loop;
static struct np_splice *engine;
static struct np_relay *relay;
static bool key_is_here;
static int nr_closed, nr_asked;

static int verify(struct np_relay_session *session, unsigned int side, const char *line, size_t len,
		  struct np_err *err, void *arg)
{
	KTAP_OK(arg == &nr_asked && session && side < 2 && strlen(line) == len);
	nr_asked++;
	if (!strncmp(line, "hold", 4))
		return key_is_here ? 0 : -EAGAIN;
	return strncmp(line, "good", 4) ? np_fail(err, -EBADMSG, "not good") : 0;
}

static void closed(struct np_relay_session *session, void *arg)
{
	(void)arg;
	KTAP_STREQ(np_relay_session_context(session), "context");
	nr_closed++;
}

static void up(const struct np_relay_limits *limits)
{
	struct np_relay_params params = {.loop = loop,
					 .splice = engine,
					 .limits = *limits,
					 .ops = {verify, closed},
					 .arg = &nr_asked};

	nr_closed = nr_asked = 0;
	key_is_here = false;
	KTAP_EQ(np_relay_new(&params, &relay, NULL), 0);
}

static void down(void)
{
	np_relay_free(relay);
	relay = NULL;
}

static struct np_relay_session *open_session(const char *sid, bool auth)
{
	struct np_relay_session_params params = {.client = "@alice",
						 .atsign = {"@alice", "@device"},
						 .auth = {auth, auth},
						 .client_nonce = "cn"};
	struct np_relay_session *session = NULL;
	struct np_err err = NP_ERR_INIT;

	snprintf(params.sid, sizeof(params.sid), "%s", sid);
	if (np_relay_open(relay, &params, &session, &err)) {
		KTAP_FAILF("open: %s", err.msg);
		return NULL;
	}
	np_relay_session_set_context(session, (void *)"context");
	return session;
}

/* A connection to one side, as a peer has it: blocking connect, then non-blocking. */
static int dial(const struct np_relay_session *session, unsigned int side)
{
	struct np_addr addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	np_addr_parse("127.0.0.1", np_relay_session_port(session, side), &addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr.ss, addr.len) < 0) {
		KTAP_FAILF("connect: %s", strerror(errno));
		np_fd_close(&fd);
		return -1;
	}
	np_fd_set_nonblock(fd);
	return fd;
}

static void say(int fd, const char *text)
{
	KTAP_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

struct hear {
	int fd;
	size_t want, got;
	bool over; /* end of stream or reset */
	char text[256];
};

static bool heard(void *arg)
{
	struct hear *hear = arg;
	ssize_t n;

	if (hear->got < hear->want || !hear->want) {
		n = recv(hear->fd, hear->text + hear->got, sizeof(hear->text) - 1 - hear->got, 0);
		if (n > 0)
			hear->got += (size_t)n;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			hear->over = true;
	}
	return hear->over || (hear->want && hear->got >= hear->want);
}

static void expect_text(int fd, const char *text)
{
	struct hear hear = {.fd = fd, .want = strlen(text)};

	KTAP_OK(loop_until(loop, heard, &hear, 5000));
	KTAP_STREQ(hear.text, text);
}

static void expect_over(int fd)
{
	struct hear hear = {.fd = fd};

	KTAP_OK(loop_until(loop, heard, &hear, 5000));
	KTAP_OK(hear.over);
	KTAP_EQ(hear.got, 0); /* the relay says nothing */
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static void turn(unsigned int ms)
{
	loop_until(loop, never, NULL, ms);
}

static bool is_closed(void *arg)
{
	return nr_closed >= *(int *)arg;
}

static void expect_closed(int nr)
{
	KTAP_OK(loop_until(loop, is_closed, &nr, 5000));
	KTAP_EQ(nr_closed, nr);
	KTAP_EQ(np_relay_nr_sessions(relay), 0);
}

static const struct np_relay_limits dflt;

static void pairs_in_order_of_arrival(void)
{
	struct np_relay_session *session;
	int a[3], b[3], i;
	char text[2] = "0";

	up(&dflt);
	session = open_session("s-1", false);
	for (i = 0; i < 3; i++) {
		a[i] = dial(session, 0);
		text[0] = (char)('0' + i);
		say(a[i], text); /* before there is a partner */
	}
	turn(30);
	for (i = 0; i < 3; i++)
		b[i] = dial(session, 1);
	for (i = 0; i < 3; i++) {
		text[0] = (char)('0' + i);
		expect_text(b[i], text);
		say(b[i], "reply");
		expect_text(a[i], "reply");
	}
	for (i = 0; i < 3; i++) {
		np_fd_close(&a[i]);
		expect_over(b[i]);
		np_fd_close(&b[i]);
	}
	KTAP_EQ(np_relay_nr_sessions(relay), 1); /* within its grace period */
	down();
	KTAP_EQ(nr_closed, 1);
}

static void ipv6_too(void)
{
	struct np_relay_session *session;
	struct np_addr addr;
	int fd, other;

	up(&dflt);
	session = open_session("six", false);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	np_addr_parse("::1", np_relay_session_port(session, 0), &addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr.ss, addr.len) < 0) {
		np_fd_close(&fd);
		down();
		KTAP_SKIP("kernel lacks IPv6 on loopback");
	}
	other = dial(session, 1);
	say(other, "from four");
	np_fd_set_nonblock(fd);
	expect_text(fd, "from four");
	np_fd_close(&fd);
	np_fd_close(&other);
	down();
}

static void ends_when_nobody_comes(void)
{
	up(&(struct np_relay_limits){.grace_ms = 60});
	open_session("s-2", false);
	turn(20);
	KTAP_EQ(nr_closed, 0);
	expect_closed(1);
	down();
}

static void a_lone_side_does_not_keep_it(void)
{
	struct np_relay_session *session;
	int a;

	up(&(struct np_relay_limits){.grace_ms = 60});
	session = open_session("s-3", false);
	a = dial(session, 0);
	expect_closed(1);
	expect_over(a);
	np_fd_close(&a);
	down();
}

static void ends_with_its_last_connection(void)
{
	struct np_relay_session *session;
	int a, b, a2, b2;

	up(&(struct np_relay_limits){.grace_ms = 100});
	session = open_session("s-4", false);
	a = dial(session, 0);
	b = dial(session, 1);
	say(a, "x");
	expect_text(b, "x");
	turn(150); /* the grace period is over, a connection lives */
	KTAP_EQ(nr_closed, 0);
	a2 = dial(session, 0);
	b2 = dial(session, 1);
	say(b2, "y");
	expect_text(a2, "y");
	np_fd_close(&a);
	np_fd_close(&b);
	turn(50);
	KTAP_EQ(nr_closed, 0);
	np_fd_close(&a2);
	np_fd_close(&b2);
	expect_closed(1);
	down();
}

static void line_then_tunnel_bytes(void)
{
	struct np_relay_session *session;
	int a, b;

	up(&dflt);
	session = open_session("s-5", true);
	a = dial(session, 0);
	say(a, "good\nearly bytes");
	b = dial(session, 1);
	say(b, "goo");
	turn(20);
	say(b, "d of b\nSSH-2.0");
	expect_text(b, "early bytes");
	expect_text(a, "SSH-2.0");
	say(a, " and more");
	expect_text(b, " and more");
	KTAP_EQ(nr_asked, 2);
	np_fd_close(&a);
	np_fd_close(&b);
	down();
}

static void line_byte_by_byte(void)
{
	struct np_relay_session *session;
	const char *line = "good, but slow\n";
	int a, b, i;
	char one[2] = "";

	up(&dflt);
	session = open_session("s-6", true);
	b = dial(session, 1);
	say(b, "good\n");
	a = dial(session, 0);
	for (i = 0; line[i]; i++) {
		one[0] = line[i];
		say(a, one);
		turn(3);
	}
	say(a, "tunnel");
	expect_text(b, "tunnel");
	np_fd_close(&a);
	np_fd_close(&b);
	down();
}

static void bad_lines_are_closed_in_silence(void)
{
	struct np_relay_session *session;
	char big[20000];
	int a, b;

	up(&dflt);
	session = open_session("s-7", true);
	a = dial(session, 0);
	say(a, "bad\n");
	expect_over(a);
	np_fd_close(&a);
	a = dial(session, 0);
	memset(big, 'x', sizeof(big));
	send(a, big, sizeof(big), MSG_NOSIGNAL);
	expect_over(a);
	np_fd_close(&a);
	a = dial(session, 0);
	say(a, "good, but no end of line");
	shutdown(a, SHUT_WR);
	expect_over(a);
	np_fd_close(&a);
	/* None of them stands in the queue. */
	a = dial(session, 0);
	say(a, "good\n1");
	b = dial(session, 1);
	say(b, "good\n");
	expect_text(b, "1");
	np_fd_close(&a);
	np_fd_close(&b);
	down();
}

static void longest_line_is_4096(void)
{
	struct np_relay_session *session;
	char line[4098];
	int a, b;

	up(&dflt);
	session = open_session("s-8", true);
	memset(line, '.', sizeof(line));
	memcpy(line, "good", 4);
	line[4096] = '\n';
	b = dial(session, 1);
	say(b, "good\n");
	a = dial(session, 0);
	KTAP_EQ(send(a, line, 4097, 0), 4097);
	say(a, "in");
	expect_text(b, "in");
	np_fd_close(&a);
	np_fd_close(&b);
	a = dial(session, 0);
	line[4096] = '.';
	line[4097] = '\n';
	KTAP_EQ(send(a, line, 4098, 0), 4098);
	expect_over(a);
	np_fd_close(&a);
	down();
}

static void silence_is_ended(void)
{
	struct np_relay_session *session;
	int a;

	up(&(struct np_relay_limits){.auth_ms = 80});
	session = open_session("s-9", true);
	a = dial(session, 0);
	turn(30);
	expect_over(a);
	np_fd_close(&a);
	down();
}

/*
 * Lines that are there already count in the order of accept, whatever the order in which they came.
 */
static void accept_order_decides(void)
{
	struct np_relay_session *session;
	int a[5], b[5], i;
	char text[16];

	up(&dflt);
	session = open_session("s-10", true);
	for (i = 0; i < 5; i++)
		a[i] = dial(session, 0);
	turn(20); /* accepted, silent */
	for (i = 4; i >= 0; i--) {
		snprintf(text, sizeof(text), "good\n%d", i);
		say(a[i], text);
	}
	for (i = 0; i < 5; i++) {
		b[i] = dial(session, 1);
		say(b[i], "good\n");
	}
	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "%d", i);
		expect_text(b[i], text);
		np_fd_close(&a[i]);
		np_fd_close(&b[i]);
	}
	down();
}

static void a_silent_socket_blocks_nobody(void)
{
	struct np_relay_session *session;
	int mute, a, b;

	up(&dflt);
	session = open_session("s-11", true);
	mute = dial(session, 0);
	turn(10);
	a = dial(session, 0);
	say(a, "good\nhello");
	b = dial(session, 1);
	say(b, "good\n");
	expect_text(b, "hello");
	np_fd_close(&mute);
	np_fd_close(&a);
	np_fd_close(&b);
	down();
}

static void held_until_the_key_is_here(void)
{
	struct np_relay_session *session;
	int a[2], b[2], i;

	up(&dflt);
	session = open_session("s-12", true);
	for (i = 0; i < 2; i++) {
		a[i] = dial(session, 0);
		say(a[i], i ? "hold\nsecond" : "hold\nfirst");
		b[i] = dial(session, 1);
		say(b[i], "good\n");
	}
	turn(40);
	KTAP_OK(nr_asked >= 4);
	key_is_here = true;
	np_relay_session_retry(session);
	expect_text(b[0], "first");
	expect_text(b[1], "second");
	for (i = 0; i < 2; i++) {
		np_fd_close(&a[i]);
		np_fd_close(&b[i]);
	}
	down();
}

/* Its partner must meet its end, or everybody behind it would meet the wrong one. */
static void the_dead_keep_their_place(void)
{
	struct np_relay_session *session;
	int a[2], b[2], i;

	up(&dflt);
	session = open_session("s-13", true);
	for (i = 0; i < 2; i++) {
		a[i] = dial(session, 0);
		say(a[i], i ? "good\nalive" : "good\n");
	}
	turn(20);
	np_sock_reset(&a[0]);
	turn(20);
	for (i = 0; i < 2; i++) {
		b[i] = dial(session, 1);
		say(b[i], "good\n");
	}
	expect_over(b[0]);
	expect_text(b[1], "alive");
	np_fd_close(&a[1]);
	np_fd_close(&b[0]);
	np_fd_close(&b[1]);
	down();
}

static void half_open_flood(void)
{
	struct np_relay_limits limits = {.unproven = 40, .unproven_per_ip = 30};
	struct np_relay_session *session;
	int mute[200], a, b, i, gone = 0;

	up(&limits);
	session = open_session("s-14", true);
	b = dial(session, 1);
	say(b, "good\n");
	for (i = 0; i < 200; i++) {
		mute[i] = dial(session, 0);
		if (i % 50 == 0)
			turn(2);
	}
	a = dial(session, 0);
	turn(5);
	say(a, "good\nthrough");
	expect_text(b, "through");
	for (i = 0; i < 200; i++) {
		struct pollfd pfd = {.fd = mute[i], .events = POLLIN};

		gone += poll(&pfd, 1, 0) > 0;
		np_fd_close(&mute[i]);
	}
	KTAP_OK(gone >= 170 && gone < 200);
	np_fd_close(&a);
	np_fd_close(&b);
	down();
}

static void queue_is_bounded(void)
{
	struct np_relay_session *session;
	int a[6], i;

	up(&(struct np_relay_limits){.queued = 4});
	session = open_session("s-15", false);
	for (i = 0; i < 6; i++)
		a[i] = dial(session, 0);
	expect_over(a[4]);
	expect_over(a[5]);
	for (i = 0; i < 4; i++) {
		char c;

		KTAP_OK(recv(a[i], &c, 1, 0) < 0 && errno == EAGAIN);
	}
	for (i = 0; i < 6; i++)
		np_fd_close(&a[i]);
	down();
}

static int try_open(const char *sid, const char *client, struct np_err *err)
{
	struct np_relay_session_params params = {.sid = ""};
	struct np_relay_session *session;
	int ret;

	snprintf(params.sid, sizeof(params.sid), "%s", sid);
	snprintf(params.client, sizeof(params.client), "%s", client);
	ret = np_relay_open(relay, &params, &session, err);
	if (!ret)
		np_relay_session_set_context(session, (void *)"context");
	return ret;
}

static void sessions_are_limited(void)
{
	struct np_err err = NP_ERR_INIT;

	up(&(struct np_relay_limits){.sessions = 3, .per_client = 2, .grace_ms = 50});
	KTAP_EQ(try_open("a", "@alice", &err), 0);
	KTAP_EQ(try_open("a", "@alice", &err), -EEXIST);
	KTAP_EQ(try_open("a", "@bob", &err), -EEXIST);
	KTAP_EQ(try_open("a\nupdate:x", "@bob", &err), -EINVAL);
	KTAP_EQ(try_open("", "@bob", &err), -EINVAL);
	KTAP_EQ(try_open("b", "@alice", &err), 0);
	KTAP_EQ(try_open("c", "@alice", &err), -EBUSY);
	KTAP_OK(strstr(err.msg, "@alice has 2 sessions") != NULL);
	KTAP_EQ(try_open("c", "@bob", &err), 0);
	KTAP_EQ(try_open("d", "@bob", &err), -EBUSY);
	KTAP_OK(strstr(err.msg, "full: 3 sessions") != NULL);
	expect_closed(3);
	KTAP_EQ(try_open("d", "@alice", &err), 0);
	down();
}

/*
 * Near the descriptor limit new sessions are refused with a reason, and the live ones go on taking
 * connections.
 */
static void descriptors_run_short(void)
{
	struct np_relay_session *first = NULL;
	struct np_err err = NP_ERR_INIT;
	struct rlimit old, tight;
	int i, ret = 0, a, b;
	char sid[16];

	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	tight.rlim_cur = 160;
	setrlimit(RLIMIT_NOFILE, &tight);
	up(&dflt);
	first = open_session("first", true);
	for (i = 0; i < 200 && !ret; i++) {
		snprintf(sid, sizeof(sid), "n-%d", i);
		ret = try_open(sid, "@bob", &err);
	}
	KTAP_EQ(ret, -EMFILE);
	KTAP_OK(strstr(err.msg, "descriptors are short") != NULL);
	KTAP_OK(i > 20);
	a = dial(first, 0);
	b = dial(first, 1);
	say(a, "good\nstill here");
	say(b, "good\n");
	expect_text(b, "still here");
	np_fd_close(&a);
	np_fd_close(&b);
	down();
	setrlimit(RLIMIT_NOFILE, &old);
}

static void closing_resets_everything(void)
{
	struct np_relay_session *session;
	int a, b, queued, mute;
	uint16_t port;
	struct np_addr addr;

	up(&dflt);
	session = open_session("s-16", true);
	a = dial(session, 0);
	say(a, "good\nx");
	b = dial(session, 1);
	say(b, "good\n");
	expect_text(b, "x");
	queued = dial(session, 0);
	say(queued, "good\n");
	mute = dial(session, 1);
	turn(20);
	port = np_relay_session_port(session, 0);
	np_relay_close(session, "test");
	expect_over(a);
	expect_over(b);
	expect_over(queued);
	expect_over(mute);
	np_fd_close(&a);
	np_addr_parse("127.0.0.1", port, &addr);
	a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	KTAP_OK(connect(a, (struct sockaddr *)&addr.ss, addr.len) < 0);
	KTAP_EQ(nr_closed, 1);
	np_fd_close(&a);
	np_fd_close(&b);
	np_fd_close(&queued);
	np_fd_close(&mute);
	down();
}

static int open_fds(void)
{
	int fd, nr = 0;

	for (fd = 0; fd < 1024; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

int main(void)
{
	int before;

	loop = ev_default_loop(0);
	if (np_splice_new(loop, "auto", &engine, NULL))
		return 1;
	ev_run(loop, EVRUN_NOWAIT);
	before = open_fds();
	KTAP_RUN(pairs_in_order_of_arrival);
	KTAP_RUN(ipv6_too);
	KTAP_RUN(ends_when_nobody_comes);
	KTAP_RUN(a_lone_side_does_not_keep_it);
	KTAP_RUN(ends_with_its_last_connection);
	KTAP_RUN(line_then_tunnel_bytes);
	KTAP_RUN(line_byte_by_byte);
	KTAP_RUN(bad_lines_are_closed_in_silence);
	KTAP_RUN(longest_line_is_4096);
	KTAP_RUN(silence_is_ended);
	KTAP_RUN(accept_order_decides);
	KTAP_RUN(a_silent_socket_blocks_nobody);
	KTAP_RUN(held_until_the_key_is_here);
	KTAP_RUN(the_dead_keep_their_place);
	KTAP_RUN(half_open_flood);
	KTAP_RUN(queue_is_bounded);
	KTAP_RUN(sessions_are_limited);
	KTAP_RUN(descriptors_run_short);
	KTAP_RUN(closing_resets_everything);
	if (open_fds() != before) {
		printf("# descriptors leaked: %d, were %d\n", open_fds(), before);
		return 1;
	}
	np_splice_free(engine);
	return ktap_done();
}
