// SPDX-License-Identifier: BSD-3-Clause
/* What one atSign may take: keys, bytes, notifications a minute, connections; the others feel nothing. */
#include "atsrv.h"

#include "base/str.h"
#include "harness/ktap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct srv_node node;
static struct srv_client c, c2, c3;

static void start(void)
{
	static const char *const atsigns[] = {"@alice", "@bob", NULL};

	srv_node_init(&node, atsigns);
	srv_node_start(&node);
	srv_activate(&node, "@alice");
	srv_activate(&node, "@bob");
	srv_node_stop(&node);
}

static void serve(void)
{
	srv_node_start(&node);
	srv_owner(&c, &node, "@alice");
}

static void stop(void)
{
	srv_hang_up(&c);
	srv_node_fini(&node);
}

static bool refused(const char *line, const char *part)
{
	const char *seen = srv_ask(&c, line);

	return np_str_starts(seen, "[error:AT0011-") && strstr(seen, part);
}

static bool done(const char *line)
{
	return np_str_starts(srv_ask(&c, line), "[data:");
}

/* Onboarding has left some keys; this takes the rest. */
static void fill(void)
{
	char line[64];
	int i = 0;

	do
		snprintf(line, sizeof(line), "update:fill%d.x@alice 1", i++);
	while (done(line));
	KTAP_OK(i > 1 && i < 12);
}

static bool is_closed(void *arg)
{
	return ((struct srv_client *)arg)->closed;
}

static bool answers_null(void *arg)
{
	return srv_match("[error:AT0015-{any}", srv_ask(&c, arg));
}

static void keys(void)
{
	static char gone[] = "llookup:t.x@alice";

	start();
	node.conf.quota_keys = 12;
	serve();
	KTAP_OK(done("update:a.x@alice 1"));
	fill();
	KTAP_OK(refused("update:c.x@alice 1", "quota: @alice has 12 keys"));
	KTAP_OK(refused("update:json:{\"atKey\":\"c.x@alice\",\"value\":\"1\"}", "quota"));
	KTAP_OK(done("update:a.x@alice 2")); /* no new one */
	KTAP_OK(done("delete:a.x@alice"));
	KTAP_OK(done("delete:a.x@alice")); /* which takes nothing more away */
	KTAP_OK(done("update:ttl:1:t.x@alice 1"));
	KTAP_OK(refused("update:c.x@alice 1", "quota"));
	KTAP_OK(srv_wait(answers_null, gone));
	KTAP_OK(done("update:c.x@alice 1"));
	KTAP_OK(refused("update:d.x@alice 1", "quota"));
	/* The count is the store's again after a restart. */
	srv_hang_up(&c);
	srv_node_stop(&node);
	serve();
	KTAP_OK(refused("update:d.x@alice 1", "quota"));
	srv_owner(&c2, &node, "@bob");
	KTAP_OK(np_str_starts(srv_ask(&c2, "update:a.x@bob 1"), "[data:"));
	srv_hang_up(&c2);
	stop();
}

static void bytes(void)
{
	char *line = malloc(20000);
	size_t head;

	start();
	node.conf.quota_bytes = 20000;
	serve();
	head = (size_t)sprintf(line, "update:a.x@alice ");
	memset(line + head, 'v', 12000);
	line[head + 12000] = '\0';
	KTAP_OK(done(line));
	line[7] = 'b';
	KTAP_OK(refused(line, "quota: @alice may store 20000 bytes here"));
	KTAP_STREQ(srv_ask(&c, "llookup:b.x@alice"),
		   "[error:AT0015-key not found : b.x@alice does not exist in keystore|@alice@]");
	line[7] = 'a';
	line[head + 11000] = '\0';
	KTAP_OK(done(line)); /* smaller than before */
	KTAP_OK(done("update:a.x@alice 1"));
	line[7] = 'b';
	KTAP_OK(done(line));
	free(line);
	stop();
}

/* A copy of somebody else's record is left out, the notification itself arrives. */
static void copies(void)
{
	start();
	node.conf.quota_keys = 12;
	serve();
	srv_owner(&c2, &node, "@bob");
	fill();
	srv_ask(&c2, "notify:id:n-1:ttr:-1:@alice:k.x@bob:v");
	KTAP_OK(strstr(srv_ask(&c, "notify:list"), "n-1") != NULL);
	KTAP_OK(srv_match("[error:AT0015-{any}", srv_ask(&c, "llookup:cached:@alice:k.x@bob")));
	srv_hang_up(&c2);
	stop();
}

static void notifications(void)
{
	start();
	node.conf.quota_notes = 3;
	serve();
	KTAP_OK(done("notify:@bob:n.x@alice:1"));
	KTAP_OK(done("update:@bob:s.x@alice 1")); /* which notifies too */
	KTAP_OK(done("notify:all:@bob:n.x@alice:1"));
	KTAP_OK(refused("notify:@bob:n.x@alice:1", "quota: @alice has used up its 3 notifications"));
	KTAP_OK(refused("notify:all:@bob:n.x@alice:1", "quota"));
	KTAP_OK(refused("update:@bob:s.x@alice 2", "quota"));
	KTAP_OK(done("update:s.x@alice 2"));
	srv_owner(&c2, &node, "@bob");
	KTAP_OK(np_str_starts(srv_ask(&c2, "notify:@alice:n.x@bob:1"), "[data:"));
	srv_hang_up(&c2);
	stop();
}

static void connections(void)
{
	start();
	node.conf.quota_connections = 2;
	serve();
	srv_owner(&c2, &node, "@alice");
	srv_connect(&c3, &node, false);
	srv_ask(&c3, "from:@alice");
	KTAP_OK(!srv_login_pkam(&c3, "@alice", NULL));
	KTAP_OK(srv_wait(is_closed, &c3));
	srv_hang_up(&c3);
	srv_owner(&c3, &node, "@bob");
	srv_hang_up(&c3);
	/* Proving it again takes no second place, and leaving frees one. */
	KTAP_OK(srv_login_pkam(&c2, "@alice", NULL));
	srv_hang_up(&c2);
	srv_run_ms(20);
	srv_owner(&c2, &node, "@alice");
	KTAP_OK(srv_match("[data:{challenge}|@]", srv_ask(&c2, "from:@bob")));
	srv_owner(&c3, &node, "@alice");
	srv_hang_up(&c3);
	srv_hang_up(&c2);
	stop();
}

int main(void)
{
	srv_open();
	KTAP_RUN(keys);
	KTAP_RUN(bytes);
	KTAP_RUN(copies);
	KTAP_RUN(notifications);
	KTAP_RUN(connections);
	srv_close();
	return ktap_done();
}
