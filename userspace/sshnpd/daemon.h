/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's parts and how they are wired. */
#ifndef SSHNPD_DAEMON_H
#define SSHNPD_DAEMON_H

#include "at/keyfile.h"
#include "at/monitor.h"
#include "base/buf.h"
#include "base/log.h"
#include "conf.h"
#include "crypto/rand.h"
#include "noports/authkeys.h"

#include <ev.h>

struct np_at_client;
struct np_at_keys;
struct np_directory;
struct np_err;
struct np_secret;
struct np_tls_ctx;
struct ephemeral;
struct request;
struct seen_id;

struct daemon {
	struct ev_loop *loop;
	const struct sshnpd_conf *conf;
	struct np_at_keys *keys;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
	struct np_at_client *client;
	struct np_monitor *monitor;
	struct np_authkeys authkeys;
	struct np_buf ping_text;	/* answer to a ping, device info record */
	char suffix[NP_DEVICE_MAX + 8]; /* ".<device>.sshnp" */
	ev_timer refresh, rest;
	ev_signal signals[2];
	struct np_log_limit denied_limit, bad_limit;
	bool is_ready;
	/* identity.c */
	char signing_uri[NP_ATSIGN_MAX + NP_ENROLLMENT_ID_MAX + 32];
	bool is_key_published;
	int status; /* exit status */
	/* instance.c */
	char instance_id[NP_UUID_SIZE];
	long long announced_at_ms; /* 0: not yet */
	bool is_leaving;
	struct np_log_limit instance_limit;
	/* request.c, seen.c, ephemeral.c */
	struct request *requests;
	unsigned int nr_starting;
	struct seen_id *seen_first, *seen_last;
	unsigned int nr_seen;
	struct ephemeral *ephemerals;
};

/** daemon_run() - serve until a signal or a fatal failure. Return: exit status. */
int daemon_run(const struct sshnpd_conf *conf);
/** daemon_stop() - leave the loop with @status. */
void daemon_stop(struct daemon *d, int status);
/** daemon_notify() - send "@to:<name>.<device>.sshnp@us"; a failure is logged. */
int daemon_notify(struct daemon *d, const char *to, const char *name, const char *value, size_t len,
		  int64_t ttl_ms);

/* One per kind of notification; @note->from is a manager, or ourselves for instance_handle(). */
void ping_handle(struct daemon *d, const struct np_at_notification *note);
void pubkey_handle(struct daemon *d, const struct np_at_notification *note);
void request_handle(struct daemon *d, const struct np_at_notification *note);
void instance_handle(struct daemon *d, const struct np_at_notification *note);

/** ping_build() - the text that answers pings and stands in the device info record. */
int ping_build(struct daemon *d, struct np_err *err);
/** info_refresh() - share (or with --hide delete) user name and device info with every manager. */
void info_refresh(struct daemon *d);
/** identity_publish() - make our signing key known, and then that we can prove who we are by it. */
void identity_publish(struct daemon *d);
/** instance_announce() - tell other daemons of this atSign and device that we are here. */
void instance_announce(struct daemon *d);
/** rest_soon() - something happened: give memory back when it is quiet again (rest_init() before).
 */
void rest_init(struct daemon *d);
void rest_soon(struct daemon *d);
/** seen_before() - was this session id used within the last hour? Remembers it. */
bool seen_before(struct daemon *d, const char *sid);
void seen_fini(struct daemon *d);
/**
 * ephemeral_make() - a key pair for session @sid (noports.md 9.6).
 * @pem: receives the private half; the public half is kept for ephemeral_admit()
 */
int ephemeral_make(struct daemon *d, const char *sid, struct np_secret *pem, struct np_err *err);
/** ephemeral_admit() - the entry in authorized_keys. */
int ephemeral_admit(struct daemon *d, const char *sid, struct np_err *err);
/** ephemeral_expire() - from now on the entry has fifteen seconds. */
void ephemeral_expire(struct daemon *d, const char *sid);
/** ephemeral_drop() - no entry was made or it goes at once. */
void ephemeral_drop(struct daemon *d, const char *sid);
void ephemerals_fini(struct daemon *d);
/** requests_fini() - forget what is under way; bridges live on. */
void requests_fini(struct daemon *d);

#endif
