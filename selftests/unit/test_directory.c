// SPDX-License-Identifier: BSD-3-Clause
#include "at/directory.h"

#include "atfake.h"
#include "base/err.h"
#include "harness/ktap.h"

#include <errno.h>

struct answer {
	bool done;
	unsigned int nr;
	char host[NP_HOST_MAX];
	uint16_t port;
	struct np_err err;
};

static struct fake_world w;
static struct np_directory *dir;

static void on_place(const char *host, uint16_t port, const struct np_err *err, void *arg)
{
	struct answer *a = arg;

	a->done = true;
	a->nr++;
	a->port = port;
	KTAP_OK(host ? !err : err && err->code);
	snprintf(a->host, sizeof(a->host), "%s", host ? host : "");
	if (err)
		a->err = *err;
}

static void begin_at(const char *root)
{
	struct np_err err = NP_ERR_INIT;

	fake_open(&w);
	if (np_directory_new(w.loop, w.client_tls, root ? root : fake_root(&w), &dir, &err))
		KTAP_FAILF("%s", err.msg);
}

static void end(void)
{
	np_directory_free(dir);
	dir = NULL;
	fake_close(&w);
}

static struct answer ask(const char *atsign)
{
	static struct answer a;

	memset(&a, 0, sizeof(a));
	KTAP_EQ(np_directory_lookup(dir, atsign, on_place, &a), 0);
	KTAP_OK(!a.done); /* never from inside the call */
	KTAP_OK(fake_run(&w, &a.done, 12000));
	return a;
}

static void finds_and_remembers(void)
{
	struct answer a;

	begin_at(NULL);
	fake_owner(&w, "@alice");
	a = ask("@alice");
	KTAP_STREQ(a.host, "127.0.0.1");
	KTAP_EQ(a.port, w.at_port);
	a = ask("@alice");
	KTAP_EQ(a.port, w.at_port);
	KTAP_EQ(w.nr_lookups, 1);
	np_directory_forget(dir, "@alice");
	ask("@alice");
	KTAP_EQ(w.nr_lookups, 2);
	end();
}

static void unknown_is_an_answer(void)
{
	struct answer a;

	begin_at(NULL);
	a = ask("@nobody");
	KTAP_EQ(a.err.code, -ENOENT);
	KTAP_OK(strstr(a.err.msg, "@nobody is not in the directory 127.0.0.1:"));
	KTAP_EQ(w.nr_lookups, 1); /* and not asked twice */
	end();
}

static void both_who_ask_share_one_query(void)
{
	struct answer a = {0}, b = {0};

	begin_at(NULL);
	fake_owner(&w, "@alice");
	KTAP_EQ(np_directory_lookup(dir, "@alice", on_place, &a), 0);
	KTAP_EQ(np_directory_lookup(dir, "@alice", on_place, &b), 0);
	KTAP_OK(fake_run(&w, &a.done, 5000) && fake_run(&w, &b.done, 5000));
	KTAP_EQ(a.nr + b.nr, 2);
	KTAP_EQ(w.nr_lookups, 1);
	end();
}

static void cancelled_ones_hear_nothing(void)
{
	struct answer a = {0}, b = {0};

	begin_at(NULL);
	fake_owner(&w, "@alice");
	np_directory_lookup(dir, "@alice", on_place, &a);
	np_directory_lookup(dir, "@alice", on_place, &b);
	np_directory_cancel(dir, &a);
	KTAP_OK(fake_run(&w, &b.done, 5000));
	KTAP_EQ(a.nr, 0);
	np_directory_lookup(dir, "@alice", on_place, &a); /* from the cache this time */
	np_directory_cancel(dir, &a);
	KTAP_OK(!fake_run(&w, &a.done, 50));
	end();
}

static void answers_in_pieces(void)
{
	begin_at(NULL);
	w.dir_mood.cut = 1;
	fake_owner(&w, "@alice");
	KTAP_EQ(ask("@alice").port, w.at_port);
	end();
}

static void strange_answers(void)
{
	static const char *const strange[] = {
		"HTTP/1.0 400 Bad\r\n", "host\r\n@",	"host:99999\r\n@", "host:0\r\n@",
		"ho st:5\r\n@",		"[::1]:5\r\n@", ":5\r\n@"};
	size_t i;

	for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		struct answer a;

		begin_at(NULL);
		w.dir_mood.answer = strange[i];
		a = ask("@alice");
		if (a.err.code != -EPROTO || !strstr(a.err.msg, "is it an atDirectory?"))
			KTAP_FAILF("%s gives %d %s", strange[i], a.err.code, a.err.msg);
		KTAP_EQ(w.nr_lookups, 2); /* tried once more, on a fresh connection */
		end();
	}
	for (i = 0; i < 2; i++) {
		begin_at(NULL);
		w.dir_mood.answer = i ? "data:null\r\n@" : "\r\n@";
		KTAP_EQ(ask("@alice").err.code, -ENOENT);
		end();
	}
}

static void overlong_answer(void)
{
	static char big[2000];
	struct answer a;

	memset(big, 'x', sizeof(big) - 1);
	begin_at(NULL);
	w.dir_mood.answer = big;
	a = ask("@alice");
	KTAP_EQ(a.err.code, -EPROTO);
	KTAP_OK(strstr(a.err.msg, "overlong"));
	end();
}

static void nobody_there(void)
{
	char root[64];
	struct answer a;

	fake_open(&w);
	snprintf(root, sizeof(root), "127.0.0.1:%u", w.at_port);
	fake_stop_at(&w); /* a port that was free a moment ago */
	np_directory_new(w.loop, w.client_tls, root, &dir, NULL);
	a = ask("@alice");
	KTAP_EQ(a.err.code, -ECONNREFUSED);
	KTAP_OK(strstr(a.err.msg, "directory: 127.0.0.1:") &&
		strstr(a.err.msg, "Connection refused"));
	end();
}

static void silent_directory(void)
{
	struct answer a;

	begin_at(NULL);
	w.dir_mood.silent = true;
	a = ask("@alice");
	KTAP_EQ(a.err.code, -ETIMEDOUT);
	KTAP_OK(strstr(a.err.msg, "directory 127.0.0.1:") && strstr(a.err.msg, "no answer within"));
	end();
}

static void proxy_needs_no_lookup(void)
{
	struct answer a;

	begin_at("proxy:vip.example.net");
	a = ask("@whoever");
	KTAP_STREQ(a.host, "vip.example.net");
	KTAP_EQ(a.port, 443);
	end();
	begin_at("proxy:vip.example.net:8443");
	KTAP_EQ(ask("@whoever").port, 8443);
	KTAP_EQ(w.nr_lookups, 0);
	end();
}

static void bad_root_domains(void)
{
	static const char *const bad[] = {"", "proxy:", "a b", "host:0", "host:x", "host:65536"};
	struct np_err err = NP_ERR_INIT;
	size_t i;

	fake_open(&w);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		KTAP_EQ(np_directory_new(w.loop, w.client_tls, bad[i], &dir, &err), -EINVAL);
		KTAP_OK(strstr(err.msg, "root domain"));
	}
	dir = NULL;
	end();
}

static void free_in_callback(const char *host, uint16_t port, const struct np_err *err, void *arg)
{
	struct answer *a = arg;

	(void)host;
	(void)port;
	(void)err;
	a->nr++;
	a->done = true;
	np_directory_free(dir);
	dir = NULL;
}

static void may_be_freed_by_the_first_who_hears(void)
{
	struct answer a = {0};

	begin_at(NULL);
	np_directory_lookup(dir, "@alice", free_in_callback, &a);
	np_directory_lookup(dir, "@alice", free_in_callback, &a);
	KTAP_OK(fake_run(&w, &a.done, 5000));
	KTAP_EQ(a.nr, 1);
	end();
}

int main(void)
{
	KTAP_RUN(finds_and_remembers);
	KTAP_RUN(unknown_is_an_answer);
	KTAP_RUN(both_who_ask_share_one_query);
	KTAP_RUN(cancelled_ones_hear_nothing);
	KTAP_RUN(answers_in_pieces);
	KTAP_RUN(strange_answers);
	KTAP_RUN(overlong_answer);
	KTAP_RUN(nobody_there);
	KTAP_RUN(silent_directory);
	KTAP_RUN(proxy_needs_no_lookup);
	KTAP_RUN(bad_root_domains);
	KTAP_RUN(may_be_freed_by_the_first_who_hears);
	return ktap_done();
}
