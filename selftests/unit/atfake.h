/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world for the atProtocol client's tests: a private CA, a directory and an atServer for any
 * number of atSigns, in the test's own loop, on loopback. It is small on purpose; the real one is
 * userspace/atserverd.
 */
#ifndef SELFTESTS_ATFAKE_H
#define SELFTESTS_ATFAKE_H

#include "at/keyfile.h"
#include "base/buf.h"
#include "base/map.h"
#include "net/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct np_cert;
struct np_directory;
struct np_listener;
struct np_tls_ctx;

struct fake_conn;

/* Where the server misbehaves; all zero is a good server. */
struct fake_mood {
	bool silent;		/* accepts, does the handshake, never answers */
	bool silent_noop;	/* ... to noop only */
	bool mute_tls;		/* accepts TCP and nothing more */
	unsigned int cut;	/* answers in pieces of so many bytes; 0 whole */
	bool late_prompt;	/* the prompt comes glued to the next line instead of to this one */
	const char *prefix;	/* commands that begin so... */
	const char *answer;	/* ...get this, as is; NULL closes the connection */
	unsigned int after;	/* let so many of them pass before */
	bool drop_sharedkeyenc; /* notifications carry none, as old servers replay them */
	bool proof;		/* takes its owner for a stranger */
	unsigned int hold;	/* keeps answers back until so many commands came after "from" */
};

struct fake_world {
	struct ev_loop *loop;
	char dir[128];
	char ca_path[160];
	struct np_cert *ca;
	struct np_tls_ctx *client_tls, *server_tls;
	struct np_listener *dir_listener, *at_listener;
	uint16_t dir_port, at_port;
	const char *host; /* what the directory answers */
	struct fake_conn *conns;
	struct np_map owners;  /* atSign -> struct fake_owner * */
	struct np_map records; /* full key -> struct fake_record * */
	struct np_buf log;     /* every command, "@who line\n" */
	struct np_buf stored;  /* notifications kept for replay, one a line */
	unsigned int nr_lookups, nr_conns, nr_commands;
	int64_t epoch_ms;
	struct fake_mood mood, dir_mood;
};

void fake_open(struct fake_world *w);
void fake_close(struct fake_world *w);
/**
 * fake_owner() - an activated atSign: keys that live as long as the process, its public key
 * published.
 */
struct np_at_keys *fake_owner(struct fake_world *w, const char *atsign);
/** fake_invite() - an atSign that waits for its activation with this CRAM secret. */
void fake_invite(struct fake_world *w, const char *atsign, const char *secret);
/** fake_root() - "127.0.0.1:port" of the directory. */
const char *fake_root(const struct fake_world *w);
/** fake_serve_with() - let the atServer present another certificate. */
void fake_serve_with(struct fake_world *w, const struct np_cert *ca, const char *host,
		     int64_t from_s, int64_t to_s);
void fake_drop_conns(struct fake_world *w);
/**
 * fake_stop_at() - nobody listens at the atServer's place any more; fake_start_at() is at a new
 * port.
 */
void fake_stop_at(struct fake_world *w);
void fake_start_at(struct fake_world *w);
/**
 * fake_notify() - hand a notification line (JSON) to the monitors of @to and keep it for replay.
 */
void fake_notify(struct fake_world *w, const char *to, const char *json);
void fake_put(struct fake_world *w, const char *key, const char *value, const char *meta_json);
const char *fake_value(const struct fake_world *w, const char *key);
/** fake_count() - how many logged commands hold @part. */
unsigned int fake_count(const struct fake_world *w, const char *part);
unsigned int fake_monitors(const struct fake_world *w);

/** fake_run() - run the loop until *@done or @ms went by. Return: *@done. */
bool fake_run(struct fake_world *w, const bool *done, unsigned int ms);
/** fake_wait() - run the loop until @cond holds or @ms went by. */
bool fake_wait(struct fake_world *w, bool (*cond)(void *arg), void *arg, unsigned int ms);

#endif
