// SPDX-License-Identifier: BSD-3-Clause
/*
 * What is special to the sockmap back end; the contract of all back ends is test_splice's.
 *
 *	peer[0] ==TCP== fd a | pair | fd b ==TCP== peer[1]
 */
#include "splice/sockmap.h"

#include "splice_peer.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "harness/ktap.h"
#include "kern/sockmapobj.h"
#include "splice/ops.h"
#include "splice/pump.h"

#include <dirent.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEED 7
#define NR_CHURN 1000

static struct ev_loop *loop;
static struct np_splice *engine;

struct joint {
	struct peer peer[2];
	struct np_pair *pair;
	int inner[2];
	bool ended;
	enum np_pair_end end;
	struct np_splice_stats stats;
};

static void on_end(struct np_pair *pair, enum np_pair_end end, const struct np_splice_stats *stats,
		   void *arg)
{
	struct joint *j = arg;

	(void)pair;
	j->pair = NULL;
	j->ended = true;
	j->end = end;
	j->stats = *stats;
}

static bool connect_both(struct joint *j, int outer[2])
{
	int x, fd[2];

	memset(j, 0, sizeof(*j));
	for (x = 0; x < 2; x++) {
		if (tcp_pair(fd, 0)) {
			KTAP_FAILF("no TCP connection: %s", strerror(errno));
			return false;
		}
		outer[x] = fd[1];
		j->inner[x] = fd[0];
		j->peer[x].tx_seed = SEED + (unsigned int)x;
		j->peer[x].rx_seed = SEED + (unsigned int)!x;
	}
	return true;
}

static bool join(struct joint *j, const int outer[2])
{
	struct np_pair_params params = {
		.fd = {j->inner[0], j->inner[1]}, .on_end = on_end, .arg = j};
	struct np_err err = NP_ERR_INIT;
	int x;

	if (np_pair_join(engine, &params, &j->pair, &err)) {
		KTAP_FAILF("join: %s", err.msg);
		return false;
	}
	for (x = 0; x < 2; x++)
		peer_start(loop, &j->peer[x], outer[x]);
	return true;
}

static bool joint_up(struct joint *j)
{
	int outer[2];

	return connect_both(j, outer) && join(j, outer);
}

static void joint_down(struct joint *j)
{
	np_pair_kill(j->pair);
	peer_stop(&j->peer[0]);
	peer_stop(&j->peer[1]);
}

static const char *backend_of(const struct joint *j)
{
	struct np_splice_stats stats = j->stats;

	if (j->pair)
		np_pair_stats(j->pair, &stats);
	return stats.backend;
}

static const struct np_way *way_of(const struct joint *j, int x)
{
	struct np_ways *ways = np_pump_lane(j->pair, 0)->ctx;

	return &ways->way[x];
}

static bool is_over(void *arg)
{
	struct joint *j = arg;

	return j->ended && (j->peer[0].eof || j->peer[0].reset) &&
	       (j->peer[1].eof || j->peer[1].reset);
}

static bool has_ended(void *arg)
{
	return ((struct joint *)arg)->ended;
}

static void send_all(struct joint *j, int x, uint64_t bytes)
{
	j->peer[x].tx_total = j->peer[x].tx + bytes;
	peer_update(&j->peer[x]);
}

static void shut_both(struct joint *j)
{
	int x;

	for (x = 0; x < 2; x++) {
		j->peer[x].shut_when_sent = true;
		peer_update(&j->peer[x]);
	}
}

static void expect_bytes(struct joint *j, uint64_t from_a, uint64_t from_b)
{
	KTAP_EQ(j->end, NP_END_EOF);
	KTAP_OK(j->peer[0].eof && j->peer[1].eof);
	KTAP_EQ(j->peer[1].rx, from_a);
	KTAP_EQ(j->peer[0].rx, from_b);
	KTAP_EQ(j->peer[0].rx_bad + j->peer[1].rx_bad, 0);
	KTAP_EQ(j->stats.bytes[0], from_a);
	KTAP_EQ(j->stats.bytes[1], from_b);
}

static void expect_in_order(struct joint *j, uint64_t from_a, uint64_t from_b)
{
	KTAP_OK(loop_until(loop, is_over, j, 30000));
	expect_bytes(j, from_a, from_b);
}

/* What is lent for a pair has come back. */
static void expect_nothing_left(unsigned int nr_free)
{
	KTAP_EQ(np_sockmap_nr_free(), nr_free);
	KTAP_EQ(np_sockmap_shared()->charged, 0);
}

static void known_kernels(void)
{
	static const struct {
		const char *release, *version, *signature;
		bool is_good;
	} kernels[] = {
		{"6.18.1", "#1 SMP", "", true},
		{"7.0.0-rc1", "#1 SMP", "", true},
		{"6.16.0", "#1 SMP", "", true},
		{"6.15.3", "#1 SMP", "", true},
		{"6.15.2", "#1 SMP", "", false},
		{"6.14.11", "#1 SMP", "", false},
		{"6.13.12", "#1 SMP", "", false},
		{"6.12.34-lts", "#1 SMP", "", true},
		{"6.12.33", "#1 SMP", "", false},
		{"6.11.0", "#1 SMP", "", false},
		{"6.8.0-60-generic", "#63-Ubuntu SMP", "Ubuntu 6.8.0-60.63-generic 6.8.12", false},
		{"6.6.94", "#1 SMP", "", true},
		{"6.6.93", "#1 SMP", "", false},
		{"6.1.142", "#1 SMP", "", true},
		{"6.1.0-40-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1 (2025-09-20)", "",
		 true},
		{"6.1.0-37-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)", "",
		 false},
		{"6.1.0-40-amd64", "#1 SMP", "", false},
		{"5.15.186", "#1 SMP", "", true},
		{"5.15.0-150-generic", "#160-Ubuntu SMP", "Ubuntu 5.15.0-150.160-generic 5.15.189",
		 true},
		{"5.15.0-100-generic", "#110-Ubuntu SMP", "Ubuntu 5.15.0-100.110-generic 5.15.143",
		 false},
		{"5.10.240", "#1 SMP", "", false},
		{"4.19.0", "#1 SMP", "", false},
		{"unknown", "", "", false},
	};
	size_t i;

	for (i = 0; i < sizeof(kernels) / sizeof(*kernels); i++) {
		struct np_err err = NP_ERR_INIT;
		int ret = np_sockmap_kernel(kernels[i].release, kernels[i].version,
					    kernels[i].signature, &err);

		if (!ret != kernels[i].is_good)
			KTAP_FAILF("%s %s: %d", kernels[i].release, kernels[i].version, ret);
		KTAP_OK(!ret || (ret == -EOPNOTSUPP && err.msg[0]));
	}
}

/* Others use the machine too, so the best of a few has to do. */
static void selftest_is_quick(void)
{
	unsigned int nr_free = np_sockmap_nr_free();
	long long took = 1000, start;
	struct np_err err;
	int i;

	for (i = 0; i < 5 && took >= 1000; i++) {
		err = (struct np_err)NP_ERR_INIT;
		start = np_clock_mono_ms();
		KTAP_EQ(np_sockmap_selftest(&err), 0);
		took = np_clock_mono_ms() - start;
		KTAP_STREQ(err.msg, "");
		expect_nothing_left(nr_free);
	}
	printf("# %lld ms\n", took);
	KTAP_OK(took < 1000);
}

/* A kernel without a guard is what the self-test is there for. */
static void selftest_finds_missing_back_pressure(void)
{
	struct npsm_shared *shared = np_sockmap_shared();
	struct np_err err = NP_ERR_INIT;

	shared->limit = 1u << 30;
	shared->budget = 1u << 30;
	KTAP_OK(np_sockmap_selftest(&err) < 0);
	KTAP_OK(strstr(err.msg, "stalled reader"));
	shared->limit = NP_SOCKMAP_LIMIT;
	shared->budget = 64 << 20;
}

static void bytes_skip_user_space(void)
{
	struct joint j;
	int i;

	if (!joint_up(&j))
		return;
	KTAP_STREQ(backend_of(&j), "sockmap");
	for (i = 0; i < 50; i++) {
		send_all(&j, i & 1, 100);
		KTAP_OK(!loop_until(loop, is_over, &j, 2));
	}
	KTAP_EQ(way_of(&j, 0)->slot->redir, 2500);
	KTAP_EQ(way_of(&j, 1)->slot->redir, 2500);
	KTAP_EQ(way_of(&j, 0)->slot->pass + way_of(&j, 1)->slot->pass, 0);
	KTAP_OK(np_pump_lane(j.pair, 0)->rests && np_pump_lane(j.pair, 1)->rests);
	shut_both(&j);
	expect_in_order(&j, 2500, 2500);
	joint_down(&j);
}

static bool both_have_some(void *arg)
{
	const struct joint *j = arg;

	return j->peer[0].rx && j->peer[1].rx;
}

/* Nothing follows that would make the kernel look again. */
static void early_bytes_arrive_by_themselves(void)
{
	static const size_t sizes[] = {1, 1000, 100000};
	static uint8_t buf[100000];
	struct joint j;
	int outer[2];
	size_t i;
	int x;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		if (!connect_both(&j, outer))
			return;
		for (x = 0; x < 2; x++) {
			peer_fill(j.peer[x].tx_seed, 0, buf, sizes[i]);
			KTAP_EQ(send(outer[x], buf, sizes[i], 0), sizes[i]);
			j.peer[x].tx = j.peer[x].tx_total = sizes[i];
		}
		if (!join(&j, outer))
			return;
		KTAP_STREQ(backend_of(&j), "sockmap");
		KTAP_OK(loop_until(loop, both_have_some, &j, 5000));
		shut_both(&j);
		expect_in_order(&j, sizes[i], sizes[i]);
		joint_down(&j);
	}
}

/* Of one packet user space read a part before the join; the rest follows, and only that. */
static void bytes_read_before_the_join_do_not_come_again(void)
{
	static uint8_t buf[60000];
	struct joint j;
	int outer[2];

	if (!connect_both(&j, outer))
		return;
	peer_fill(j.peer[0].tx_seed, 0, buf, sizeof(buf));
	KTAP_EQ(send(outer[0], buf, sizeof(buf), 0), sizeof(buf));
	KTAP_EQ(recv(j.inner[0], buf, 20001, MSG_WAITALL), 20001);
	j.peer[0].tx = j.peer[0].tx_total = sizeof(buf);
	j.peer[1].rx = 20001;
	if (!join(&j, outer))
		return;
	KTAP_STREQ(backend_of(&j), "sockmap");
	shut_both(&j);
	KTAP_OK(loop_until(loop, is_over, &j, 10000));
	KTAP_EQ(j.end, NP_END_EOF);
	KTAP_EQ(j.peer[1].rx, sizeof(buf));
	KTAP_EQ(j.peer[1].rx_bad, 0);
	KTAP_EQ(j.stats.bytes[0], sizeof(buf) - 20001);
	joint_down(&j);
}

static bool queue_seq(int fd, int queue, uint32_t *seq, bool set)
{
	socklen_t len = sizeof(*seq);

	return !setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) &&
	       (set ? !setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, seq, len)
		    : !getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, seq, &len));
}

/*
 * The same end of the same connection, which has forgotten that the last @back bytes it sent were
 * acknowledged. What it sends next begins with bytes that the other end has.
 */
static bool rewind_peer(int *fd, uint32_t back)
{
	struct tcp_repair_window window = {.snd_wnd = 60000, .max_window = 60000, .rcv_wnd = 60000};
	struct sockaddr_in local, remote;
	socklen_t len = sizeof(local);
	uint32_t snd, rcv;
	int on = 1, quiet = -1;
	bool good;

	good = !getsockname(*fd, (struct sockaddr *)&local, &len) &&
	       !getpeername(*fd, (struct sockaddr *)&remote, &len) &&
	       !setsockopt(*fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) &&
	       queue_seq(*fd, TCP_SEND_QUEUE, &snd, false) &&
	       queue_seq(*fd, TCP_RECV_QUEUE, &rcv, false);
	np_fd_close(fd);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snd -= back;
	window.snd_wl1 = window.rcv_wup = rcv;
	return good && !setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	       !setsockopt(*fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) &&
	       queue_seq(*fd, TCP_SEND_QUEUE, &snd, true) &&
	       queue_seq(*fd, TCP_RECV_QUEUE, &rcv, true) &&
	       !bind(*fd, (struct sockaddr *)&local, len) &&
	       !connect(*fd, (struct sockaddr *)&remote, len) &&
	       !setsockopt(*fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)) &&
	       !setsockopt(*fd, IPPROTO_TCP, TCP_REPAIR, &quiet, sizeof(quiet));
}

struct all {
	const struct joint *joint;
	uint64_t bytes;
};

static bool has_all(void *arg)
{
	const struct all *all = arg;

	return all->joint->peer[1].rx >= all->bytes;
}

/* A retransmission in other pieces than the first time. The kernel hands it over as it came. */
static void repeated_bytes_are_skipped(void)
{
	static const uint32_t backs[] = {1, 500, 4095, 4096, 4800};
	static uint8_t buf[20000];
	size_t i;

	for (i = 0; i < sizeof(backs) / sizeof(*backs); i++) {
		uint64_t from = sizeof(buf) - backs[i];
		size_t len = backs[i] + 500; /* one packet, within the initial window */
		struct joint j;

		if (!joint_up(&j))
			return;
		send_all(&j, 0, sizeof(buf));
		KTAP_OK(!loop_until(loop, has_ended, &j, 30));
		KTAP_EQ(j.peer[1].rx, sizeof(buf));
		ev_io_stop(loop, &j.peer[0].io);
		if (!rewind_peer(&j.peer[0].fd, backs[i]))
			KTAP_FAILF("the connection cannot be rewound: %s", strerror(errno));
		peer_fill(j.peer[0].tx_seed, from, buf, len);
		KTAP_EQ(send(j.peer[0].fd, buf, len, MSG_DONTWAIT), len);
		KTAP_OK(loop_until(loop, has_all, &(struct all){&j, from + len}, 10000));
		KTAP_EQ(j.peer[1].rx, from + len);
		KTAP_EQ(j.peer[1].rx_bad, 0);
		np_pair_stats(j.pair, &j.stats);
		KTAP_EQ(j.stats.bytes[0], from + len);
		joint_down(&j);
	}
}

static int nr_complaints;

static void count_complaints(enum np_log_level level, const char *line, void *arg)
{
	(void)arg;
	nr_complaints += level == NP_LOG_INFO && strstr(line, "sockmap") && strstr(line, "side b");
}

static void half_closed_goes_to_user_space(void)
{
	static uint8_t buf[5000];
	struct joint j;
	int outer[2], i;

	nr_complaints = 0;
	np_log_set_level(NP_LOG_INFO);
	np_log_set_sink(count_complaints, NULL);
	for (i = 0; i < 3; i++) {
		if (!connect_both(&j, outer))
			break;
		peer_fill(j.peer[1].tx_seed, 0, buf, sizeof(buf));
		KTAP_EQ(send(outer[1], buf, sizeof(buf), 0), sizeof(buf));
		shutdown(outer[1], SHUT_WR);
		j.peer[1].tx = j.peer[1].tx_total = sizeof(buf);
		j.peer[1].sent_fin = true;
		if (!join(&j, outer))
			break;
		KTAP_STREQ(backend_of(&j), "user");
		j.peer[0].shut_when_sent = true;
		send_all(&j, 0, 200000);
		expect_in_order(&j, 200000, sizeof(buf));
		joint_down(&j);
	}
	np_log_set_sink(NULL, NULL);
	KTAP_EQ(nr_complaints, 1);
}

/* Side b is in another map already, so ours refuses it after it took side a. */
static void one_socket_in_the_map_is_enough(void)
{
	struct np_sockmapobj other;
	struct np_err err = NP_ERR_INIT;
	struct joint j;
	int outer[2];

	KTAP_EQ(np_sockmapobj_open(&other, 2, np_watch_passed, &err), 0);
	KTAP_STREQ(err.msg, "");
	if (ktap_case_bad || !connect_both(&j, outer))
		return;
	KTAP_EQ(np_sockmapobj_insert(&other, 0, j.inner[1]), 0);
	if (join(&j, outer)) {
		const struct np_ways *ways = np_pump_lane(j.pair, 0)->ctx;

		KTAP_OK(!ways->is_redirecting);
		send_all(&j, 0, 3000000);
		send_all(&j, 1, 2000000);
		shut_both(&j);
		expect_in_order(&j, 3000000, 2000000);
		joint_down(&j);
	}
	np_sockmapobj_close(&other);
}

static long memory_available_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib;
}

/* A second at full speed against a reader that does not read. */
static long stall(uint64_t *taken)
{
	long before = memory_available_kib(), growth;
	struct joint j;
	uint64_t sent;

	if (!joint_up(&j))
		return -1;
	j.peer[1].paused = true;
	peer_update(&j.peer[1]);
	send_all(&j, 0, 1ull << 32);
	KTAP_OK(!loop_until(loop, has_ended, &j, 1000));
	*taken = sent = j.peer[0].tx;
	growth = before - memory_available_kib();
	KTAP_OK(way_of(&j, 0)->slot->redir <= NP_SOCKMAP_LIMIT + (1u << 23));
	/* What was taken arrives. */
	j.peer[0].tx_total = sent;
	j.peer[1].paused = false;
	peer_update(&j.peer[0]);
	peer_update(&j.peer[1]);
	shut_both(&j);
	KTAP_OK(loop_until(loop, is_over, &j, 30000));
	expect_bytes(&j, j.peer[0].tx, 0);
	joint_down(&j);
	return growth;
}

/* Others use the machine too: their growth is not ours, so the best of a few has to do. */
static void stalled_reader_costs_little(void)
{
	unsigned int nr_free = np_sockmap_nr_free();
	uint64_t taken = 0;
	long growth = 1l << 30;
	int i;

	for (i = 0; i < 5 && growth > 32 * 1024 && !ktap_case_bad; i++) {
		growth = stall(&taken);
		KTAP_OK(taken <= 16u << 20);
	}
	printf("# taken %llu KiB, memory %ld KiB\n", (unsigned long long)taken >> 10, growth);
	KTAP_OK(growth <= 32 * 1024);
	expect_nothing_left(nr_free);
}

/* A packet of one byte costs a thousand times that, so packets are limited too. */
static void stalled_reader_of_tiny_packets_costs_little(void)
{
	const struct npsm_slot *slot;
	int i, on = 1, size = 4096;
	struct joint j;
	uint8_t byte;

	if (!joint_up(&j))
		return;
	slot = way_of(&j, 0)->slot;
	setsockopt(j.peer[0].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(j.inner[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	j.peer[1].paused = true;
	peer_update(&j.peer[1]);
	for (i = 0; i < 300000 && !slot->nr_guarded; i++) {
		byte = peer_byte(SEED, j.peer[0].tx);
		if (send(j.peer[0].fd, &byte, 1, 0) == 1)
			j.peer[0].tx_total = ++j.peer[0].tx;
		ev_run(loop, EVRUN_NOWAIT);
	}
	KTAP_OK(slot->nr_guarded);
	KTAP_OK(slot->nr_out <= NP_SOCKMAP_LIMIT / NPSM_PACKET_COST + 1);
	KTAP_OK(slot->redir < NP_SOCKMAP_LIMIT / 2);
	j.peer[1].paused = false;
	peer_update(&j.peer[1]);
	shut_both(&j);
	expect_in_order(&j, j.peer[0].tx, 0);
	joint_down(&j);
}

static bool has_fin(void *arg)
{
	return ((struct joint *)arg)->peer[1].eof;
}

/* The sender closes at once; the slow reader gets every byte, then the end. */
static void fin_comes_behind_the_tail(void)
{
	static const uint64_t sizes[] = {1, 70000, 700000, 3000000};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct joint j;

		if (!joint_up(&j))
			return;
		j.peer[1].paused = true;
		peer_update(&j.peer[1]);
		j.peer[0].shut_when_sent = true;
		send_all(&j, 0, sizes[i]);
		KTAP_OK(!loop_until(loop, has_ended, &j, 30));
		j.peer[1].paused = false;
		peer_update(&j.peer[1]);
		KTAP_OK(loop_until(loop, has_fin, &j, 10000));
		KTAP_EQ(j.peer[1].rx, sizes[i]);
		shut_both(&j);
		expect_in_order(&j, sizes[i], 0);
		joint_down(&j);
	}
}

/* Many pairs owe more than the common budget: all bytes still arrive, and the budget comes back. */
static void common_budget(void)
{
	unsigned int nr_free = np_sockmap_nr_free();
	struct npsm_shared *shared = np_sockmap_shared();
	long long budget = shared->budget;
	struct joint j[12];
	uint64_t guarded = 0;
	int i, up;

	shared->budget = 2 << 20;
	for (up = 0; up < 12 && joint_up(&j[up]); up++) {
		j[up].peer[1].paused = true;
		peer_update(&j[up].peer[1]);
		send_all(&j[up], 0, 6u << 20);
	}
	KTAP_EQ(up, 12);
	KTAP_OK(!loop_until(loop, has_ended, &j[0], 500));
	KTAP_OK(shared->charged <= (2 << 20) + 12 * (1 << 17));
	for (i = 0; i < up; i++) {
		guarded += way_of(&j[i], 0)->slot->nr_guarded;
		j[i].peer[1].paused = false;
		peer_update(&j[i].peer[1]);
		shut_both(&j[i]);
	}
	KTAP_OK(guarded > 0);
	for (i = 0; i < up; i++) {
		expect_in_order(&j[i], 6u << 20, 0);
		joint_down(&j[i]);
	}
	shared->budget = budget;
	expect_nothing_left(nr_free);
}

/* Charges that have become untrue do not keep others out for good. */
static void stale_charges_are_swept(void)
{
	struct npsm_shared *shared = np_sockmap_shared();
	long long budget = shared->budget;
	struct joint busy, other;
	int i;

	if (!joint_up(&busy) || !joint_up(&other))
		return;
	/* Everything arrives, and nothing tells so to those who count. */
	for (i = 0; i < 50 && !shared->charged; i++) {
		send_all(&busy, 0, 20000);
		KTAP_OK(!loop_until(loop, has_ended, &busy, 10));
	}
	KTAP_EQ(busy.peer[1].rx, busy.peer[0].tx);
	KTAP_OK(shared->charged > 0);
	shared->budget = 1000;
	for (i = 0; i < 20; i++) {
		send_all(&other, 0, 10);
		KTAP_OK(!loop_until(loop, has_ended, &other, 10));
	}
	KTAP_EQ(other.peer[1].rx, 200);
	KTAP_EQ(shared->charged, 0);
	KTAP_OK(way_of(&other, 0)->slot->redir > 0);
	shared->budget = budget;
	joint_down(&busy);
	joint_down(&other);
}

/* The program does not believe a reference to a slot's former owner. */
static void slots_have_generations(void)
{
	struct joint j;
	const struct npsm_slot *slot;
	uint32_t generation;

	if (!joint_up(&j))
		return;
	slot = way_of(&j, 0)->slot;
	generation = slot->generation;
	joint_down(&j);
	if (!joint_up(&j))
		return;
	KTAP_OK(way_of(&j, 0)->slot == slot);
	KTAP_EQ(slot->generation, generation + 1);
	/* As if the reference were the former one's. */
	way_of(&j, 0)->slot->generation++;
	send_all(&j, 0, 100);
	KTAP_OK(!loop_until(loop, has_ended, &j, 20));
	KTAP_EQ(slot->redir + slot->pass, 0);
	joint_down(&j);
}

static int nr_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int nr = 0;

	while (d && readdir(d))
		nr++;
	if (d)
		closedir(d);
	return nr;
}

static bool churned(struct joint *j, int i)
{
	uint64_t up = 1 + peer_random(5000), down = 1 + peer_random(5000);

	if (!joint_up(j))
		return false;
	send_all(j, 0, up);
	send_all(j, 1, down);
	switch (i % 4) {
	case 0: /* killed at any moment */
		loop_until(loop, has_ended, j, 0);
		break;
	case 1: /* reset */
		peer_reset(&j->peer[i / 4 % 2]);
		KTAP_OK(loop_until(loop, has_ended, j, 10000));
		break;
	default:
		shut_both(j);
		expect_in_order(j, up, down);
	}
	joint_down(j);
	return !ktap_case_bad;
}

static void churn_leaves_nothing(void)
{
	unsigned int nr_free = np_sockmap_nr_free();
	int fds, i;
	struct joint j;

	churned(&j, 2); /* pools are filled */
	fds = nr_descriptors();
	for (i = 0; i < NR_CHURN; i++) {
		if (!churned(&j, i))
			break;
	}
	KTAP_EQ(i, NR_CHURN);
	KTAP_EQ(nr_descriptors(), fds);
	expect_nothing_left(nr_free);
}

static void places_run_out(void)
{
	struct np_ways *ways[32] = {NULL}, *none = NULL;
	const uint64_t preread[2] = {0, 0};
	struct np_err err = NP_ERR_INIT;
	int fd[66], i;

	np_sockmap_unload();
	KTAP_EQ(np_sockmap_load(64, &err), 0);
	KTAP_STREQ(err.msg, "");
	if (ktap_case_bad)
		return;
	for (i = 0; i < 66; i += 2)
		KTAP_EQ(tcp_pair(&fd[i], 0), 0);
	for (i = 0; i < 31; i++)
		KTAP_EQ(np_ways_open(&fd[i * 2], preread, &ways[i], &err), 0);
	/* A socket cannot be in twice, and the refused pair gives its place back. */
	KTAP_OK(np_ways_open(fd, preread, &none, &err) < 0 && !none);
	KTAP_OK(strstr(err.msg, "side a"));
	KTAP_EQ(np_ways_open(&fd[62], preread, &ways[31], &err), 0);
	KTAP_EQ(np_sockmap_nr_free(), 0);
	KTAP_EQ(np_ways_open(&fd[64], preread, &none, &err), -ENOSPC);
	np_ways_close(ways[7]);
	KTAP_EQ(np_ways_open(&fd[64], preread, &ways[7], &err), 0);
	for (i = 0; i < 32; i++)
		np_ways_close(ways[i]);
	expect_nothing_left(32);
	for (i = 0; i < 66; i++)
		np_fd_close(&fd[i]);
}

int main(void)
{
	struct np_err err = NP_ERR_INIT;

	loop = ev_default_loop(0);
	KTAP_RUN(known_kernels);
	if (np_splice_new(loop, "sockmap", &engine, &err)) {
		printf("# SKIP %s\n", err.msg);
		return ktap_failed ? 1 : 4;
	}
	KTAP_RUN(selftest_is_quick);
	KTAP_RUN(selftest_finds_missing_back_pressure);
	KTAP_RUN(bytes_skip_user_space);
	KTAP_RUN(early_bytes_arrive_by_themselves);
	KTAP_RUN(bytes_read_before_the_join_do_not_come_again);
	KTAP_RUN(repeated_bytes_are_skipped);
	KTAP_RUN(half_closed_goes_to_user_space);
	KTAP_RUN(one_socket_in_the_map_is_enough);
	KTAP_RUN(stalled_reader_costs_little);
	KTAP_RUN(stalled_reader_of_tiny_packets_costs_little);
	KTAP_RUN(fin_comes_behind_the_tail);
	KTAP_RUN(common_budget);
	KTAP_RUN(stale_charges_are_swept);
	KTAP_RUN(slots_have_generations);
	KTAP_RUN(churn_leaves_nothing);
	KTAP_RUN(places_run_out);
	np_splice_free(engine);
	return ktap_done();
}
