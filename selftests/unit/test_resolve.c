// SPDX-License-Identifier: BSD-3-Clause
#include "ev/resolve.h"

#include "atfake.h"
#include "harness/ktap.h"
#include "net/addr.h"

#include <ev.h>

#include <sched.h>
#include <string.h>

struct result {
	bool done;
	int gai;
	unsigned int nr;
	char first[NP_ADDR_TEXT_MAX];
};

static struct fake_world w; /* only its loop is used */

static void on_result(int gai, const struct addrinfo *list, void *arg)
{
	struct result *r = arg;
	struct np_addr addr = {0};

	r->done = true;
	r->gai = gai;
	for (; list; list = list->ai_next) {
		if (!r->nr++) {
			memcpy(&addr.ss, list->ai_addr, list->ai_addrlen);
			addr.len = list->ai_addrlen;
			np_addr_text(&addr, r->first, sizeof(r->first));
		}
	}
}

static struct result look_up(const char *host, uint16_t port)
{
	static struct result r;
	struct np_resolve *req = NULL;

	memset(&r, 0, sizeof(r));
	KTAP_EQ(np_resolve_start(w.loop, host, port, on_result, &r, &req), 0);
	KTAP_OK(!r.done); /* never from inside the call */
	KTAP_OK(fake_run(&w, &r.done, 10000));
	return r;
}

static void numeric_addresses(void)
{
	struct result r = look_up("127.0.0.1", 65535);

	KTAP_EQ(r.gai, 0);
	KTAP_EQ(r.nr, 1);
	KTAP_STREQ(r.first, "127.0.0.1:65535");
	KTAP_STREQ(look_up("::1", 22).first, "[::1]:22");
}

/* Also on a machine without a hosts file, which is where this once failed. */
static void localhost_is_the_loopback(void)
{
	struct result r = look_up("localhost", 80);

	KTAP_EQ(r.gai, 0);
	KTAP_OK(r.nr >= 1);
	KTAP_OK(!strcmp(r.first, "127.0.0.1:80") || !strcmp(r.first, "[::1]:80"));
	KTAP_EQ(look_up("LOCALHOST", 1).gai, 0);
}

static void bad_names_are_an_answer(void)
{
	/* An empty label and a space: no resolver is asked about those. */
	KTAP_OK(look_up("a..b", 80).gai != 0);
	KTAP_OK(look_up("not a name", 80).gai != 0);
}

static void many_at_once(void)
{
	static struct result r[64];
	struct np_resolve *req;
	unsigned int i;

	memset(r, 0, sizeof(r));
	for (i = 0; i < 64; i++)
		KTAP_EQ(np_resolve_start(w.loop, i % 2 ? "a..b" : "127.0.0.1",
					 (uint16_t)(i + 1), on_result, &r[i], &req),
			0);
	for (i = 0; i < 64; i++) {
		KTAP_OK(fake_run(&w, &r[i].done, 10000));
		KTAP_OK((r[i].gai != 0) == (i % 2 == 1));
	}
}

static void cancelled_ones_are_silent(void)
{
	struct result r[3] = {0};
	struct np_resolve *req[3];
	unsigned int i, j;
	bool never = false;

	KTAP_EQ(np_resolve_start(w.loop, "a..b", 1, on_result, &r[0], &req[0]), 0);
	KTAP_EQ(np_resolve_start(w.loop, "127.0.0.1", 1, on_result, &r[1], &req[1]), 0);
	np_resolve_cancel(req[0]);
	np_resolve_cancel(req[1]);
	np_resolve_cancel(NULL);
	/* Again and again, so that the thread is met in every state. */
	for (i = 0; i < 200; i++) {
		KTAP_EQ(np_resolve_start(w.loop, "a..b", 1, on_result, &r[2], &req[2]), 0);
		for (j = 0; j < i; j++)
			sched_yield();
		np_resolve_cancel(req[2]);
	}
	fake_run(&w, &never, 50);
	KTAP_OK(!r[0].done && !r[1].done && !r[2].done);
}

int main(void)
{
	w.loop = ev_default_loop(0);
	KTAP_RUN(numeric_addresses);
	KTAP_RUN(localhost_is_the_loopback);
	KTAP_RUN(bad_names_are_an_answer);
	KTAP_RUN(many_at_once);
	KTAP_RUN(cancelled_ones_are_silent);
	return ktap_done();
}
