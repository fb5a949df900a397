// SPDX-License-Identifier: BSD-3-Clause
/* The parts of express that need no privilege: the table of pairs, the helper thread, what a socket
 * must be like. */
#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"
#include "net/sock.h"
#include "splice/express.h"
#include "splice/leg.h"
#include "splice/ops.h"
#include "splice/xtable.h"
#include "splice/xthread.h"
#include "splice_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <sys/socket.h>

static struct ev_loop *loop;

static struct npx_key key_of(uint32_t n)
{
	struct npx_key key = {
		.saddr = {n}, .daddr = {~n}, .sport = (__u16)n, .dport = 7, .family = 4};

	return key;
}

static void table_finds_what_was_added(void)
{
	enum { NR = 5000 };
	static struct np_xref refs[NR];
	struct np_xtable table = {0};
	struct npx_key key;
	uint32_t i;
	int wrong = 0;

	for (i = 0; i < NR; i++) {
		refs[i].key = key_of(i);
		wrong += np_xtable_add(&table, &refs[i]) != 0;
	}
	KTAP_EQ(table.nr, NR);
	for (i = 0; i < NR; i++) {
		key = key_of(i);
		wrong += np_xtable_find(&table, &key) != &refs[i];
	}
	for (i = 0; i < NR; i += 2)
		np_xtable_remove(&table, &refs[i]);
	KTAP_EQ(table.nr, NR / 2);
	for (i = 0; i < NR; i++) {
		key = key_of(i);
		wrong += np_xtable_find(&table, &key) != (i % 2 ? &refs[i] : NULL);
	}
	KTAP_EQ(wrong, 0);
	np_xtable_remove(&table, &refs[0]); /* twice does no harm */
	KTAP_EQ(table.nr, NR / 2);
	np_xtable_fini(&table);
	np_xtable_remove(&table, &refs[1]);
	key = key_of(1);
	KTAP_OK(!np_xtable_find(&table, &key));
}

static void opposite_direction_has_the_swapped_tuple(void)
{
	struct npx_key out = {
		.saddr = {1, 2, 3, 4}, .daddr = {5, 6, 7, 8}, .sport = 9, .dport = 10, .family = 6};
	struct npx_key key = np_xkey_reverse(&out), again = np_xkey_reverse(&key);

	KTAP_EQ(key.saddr[0], 5);
	KTAP_EQ(key.daddr[3], 4);
	KTAP_EQ(key.sport, 10);
	KTAP_EQ(key.dport, 9);
	KTAP_OK(!memcmp(&again, &out, sizeof(out)));
}

static int jobs_done, done_calls;

static void job(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&jobs_done, 1, __ATOMIC_SEQ_CST);
}

static void on_done(void *arg)
{
	(void)arg;
	done_calls++;
}

static bool done_is(void *arg)
{
	return done_calls == *(int *)arg;
}

static void thread_runs_one_job_after_the_other(void)
{
	struct np_xthread *thread = NULL;
	int i;

	KTAP_EQ(np_xthread_start(loop, on_done, NULL, &thread), 0);
	for (i = 1; i <= 3; i++) {
		np_xthread_run(thread, job);
		KTAP_OK(loop_until(loop, done_is, &i, 5000));
		KTAP_EQ(__atomic_load_n(&jobs_done, __ATOMIC_SEQ_CST), i);
	}
	np_xthread_stop(thread);
	np_xthread_stop(NULL);
}

static void peers_on_this_host_are_refused(void)
{
	struct np_err err = NP_ERR_INIT;
	struct np_leg leg;
	int fd[2];

	KTAP_EQ(tcp_pair(fd, 0), 0);
	KTAP_OK(np_leg_inspect(fd[0], &leg, &err) < 0);
	KTAP_OK(strstr(err.msg, "on this host"));
	KTAP_EQ(leg.key.family, 4);
	np_fd_close(&fd[0]);
	np_fd_close(&fd[1]);
}

static void what_is_no_tcp_is_refused(void)
{
	struct np_err err = NP_ERR_INIT;
	struct np_leg leg;
	int fd[2];

	KTAP_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	KTAP_EQ(np_leg_inspect(fd[0], &leg, &err), -EOPNOTSUPP);
	np_fd_close(&fd[0]);
	np_fd_close(&fd[1]);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	KTAP_EQ(np_leg_inspect(fd[0], &leg, &err), -ENOTCONN);
	np_fd_close(&fd[0]);
}

static struct np_leg plain_leg(void)
{
	struct np_leg leg = {
		.key.family = 4,
		.options = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE,
		.advmss = 1460,
		.snd_mss = 1448,
	};

	return leg;
}

static void expect_refusal(const struct np_leg *a, const struct np_leg *b, const char *word)
{
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_legs_may_join(a, b, &err), -EOPNOTSUPP);
	KTAP_OK(strstr(err.msg, word));
	KTAP_EQ(np_legs_may_join(b, a, &err), -EOPNOTSUPP);
}

static void dialects_have_to_agree(void)
{
	struct np_leg a = plain_leg(), b = plain_leg();
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_legs_may_join(&a, &b, &err), 0);
	b.key.family = 6;
	expect_refusal(&a, &b, "IPv6");
	b = plain_leg();
	b.options &= ~TCPI_OPT_TIMESTAMPS;
	expect_refusal(&a, &b, "timestamps");
	b = plain_leg();
	b.options &= ~TCPI_OPT_SACK;
	expect_refusal(&a, &b, "SACK");
	b = plain_leg();
	b.options |= TCPI_OPT_ECN;
	expect_refusal(&a, &b, "ECN");
	b = plain_leg();
	b.options &= ~TCPI_OPT_WSCALE; /* translated */
	KTAP_EQ(np_legs_may_join(&a, &b, &err), 0);
	b = plain_leg();
	b.snd_mss = 1447;
	expect_refusal(&a, &b, "too long");
	a.advmss = b.advmss = 1220;
	KTAP_EQ(np_legs_may_join(&a, &b, &err), 0);
}

static void pairs_on_loopback_stay_and_say_why(void)
{
	struct np_pair_params params = {0};
	struct np_express_status status;
	struct np_splice *splice = NULL;
	struct np_err err = NP_ERR_INIT;
	struct np_pair *pair = NULL;
	int one[2], two[2], never = -1;

	if (np_splice_new(loop, "express", &splice, &err))
		KTAP_SKIP("express needs root");
	KTAP_EQ(tcp_pair(one, 0), 0);
	KTAP_EQ(tcp_pair(two, 0), 0);
	params.fd[0] = one[0];
	params.fd[1] = two[0];
	KTAP_EQ(np_pair_join(splice, &params, &pair, &err), 0);
	KTAP_STREQ(np_pair_why(pair), "waits for a quiet moment");
	done_calls = 0;
	(void)loop_until(loop, done_is, &never, 300);
	KTAP_OK(strstr(np_pair_why(pair), "on this host"));
	np_express_status(splice, &status);
	KTAP_OK(!status.loaded); /* nothing was loaded for it */
	KTAP_EQ(status.refused, 1);
	np_pair_let_go(pair); /* not in express: reset */
	np_splice_free(splice);
	np_fd_close(&one[1]);
	np_fd_close(&two[1]);
}

int main(void)
{
	loop = ev_default_loop(EVFLAG_AUTO);
	KTAP_RUN(table_finds_what_was_added);
	KTAP_RUN(opposite_direction_has_the_swapped_tuple);
	KTAP_RUN(thread_runs_one_job_after_the_other);
	KTAP_RUN(peers_on_this_host_are_refused);
	KTAP_RUN(what_is_no_tcp_is_refused);
	KTAP_RUN(dialects_have_to_agree);
	KTAP_RUN(pairs_on_loopback_stay_and_say_why);
	return ktap_done();
}
