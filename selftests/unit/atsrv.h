/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world for the atServer's tests: private CA, atServers on loopback in the test's own loop, and
 * clients that see every TLS record. What a client sees is noted as "[record][record]" with '|' for
 * LF and '~' for CR.
 */
#ifndef SELFTESTS_ATSRV_H
#define SELFTESTS_ATSRV_H

#include "atserver/server.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct np_listener;
struct np_rsa;
struct np_store;
struct np_tls;

#define SRV_TEXT 65536

/* One per test program. */
struct srv_world {
	struct ev_loop *loop;
	char dir[64];
	char ca_path[128], cert_path[128], key_path[128];
	struct np_tls_ctx *server_tls, *client_tls,
		*bare_tls;	     /* client_tls shows the server's certificate */
	struct np_rsa *key;	     /* the key of atprotocol.md 22.1, for {sig} */
	char secret[160];	     /* for {cram} */
	char challenge[256], id[64]; /* captured from answers */
	bool cut;		     /* send single bytes */
	unsigned int nr_nodes;
};

/* One atServer with a store of its own. */
struct srv_node {
	struct np_store *store;
	struct np_atserver *srv;
	struct np_listener *listener;
	struct np_atserver_conf conf; /* fill in before srv_node_start() */
	uint16_t port;
	char db[128], secrets[128];
};

struct srv_client {
	struct np_tls *tls;
	struct np_buf seen;
	bool ready, closed;
	char host[16];
};

extern struct srv_world world;

extern const char srv_public_key[], srv_private_key[]; /* of 22.1 */

void srv_open(void);
void srv_close(void);
/** srv_node_init() - a store with @atsigns (NULL terminated), each with the CRAM secret
 * world.secret. */
void srv_node_init(struct srv_node *node, const char *const *atsigns);
void srv_node_start(struct srv_node *node);
/** srv_node_stop() - end the server, keep the store. */
void srv_node_stop(struct srv_node *node);
void srv_node_fini(struct srv_node *node);
/** srv_node_knows() - an entry of the node's own directory for an atSign that lives on @other. */
void srv_node_knows(struct srv_node *node, const char *atsign, const struct srv_node *other);

/** srv_connect() - and take the first prompt. */
void srv_connect(struct srv_client *c, const struct srv_node *node, bool with_cert);
void srv_hang_up(struct srv_client *c);
/** srv_send() - expands {cram}, {sig}, {sig512} and {id}; cut into bytes when world.cut. */
void srv_send(struct srv_client *c, const char *text);
/** srv_ask() - send a line (LF is added) and wait for its prompt or the end. Return: what was seen,
 * till the next call. */
const char *srv_ask(struct srv_client *c, const char *line);
/** srv_want() - wait until @pattern occurs in what was seen. Return: the text seen, or NULL. */
const char *srv_want(struct srv_client *c, const char *part);
void srv_forget(struct srv_client *c);
/** srv_match() - does @text match @pattern? {uuid} {n} {time} {any} match, {challenge} and {newid}
 * capture. */
bool srv_match(const char *pattern, const char *text);
/** srv_wait() - run the loop until @cond or 10 s went by. */
bool srv_wait(bool (*cond)(void *arg), void *arg);
void srv_run_ms(unsigned int ms);
/** srv_login_cram(), srv_login_pkam() - from and the proof. Return: succeeded. */
bool srv_login_cram(struct srv_client *c, const char *atsign);
bool srv_login_pkam(struct srv_client *c, const char *atsign, const char *enrol_id);
/** srv_activate() - legacy onboarding of @atsign with the key of 22.1. */
void srv_activate(struct srv_node *node, const char *atsign);
/** srv_owner() - a connected client authenticated as the activated @atsign. */
void srv_owner(struct srv_client *c, const struct srv_node *node, const char *atsign);

/* A step of a transcript; one with @send NULL only waits, one with @want NULL only sends. */
struct srv_step {
	const char *send, *want;
};
/** srv_play() - run the steps, reporting the first difference. Return: all matched. */
bool srv_play(struct srv_client *c, const struct srv_step *steps);

#endif
