/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside srvd: the relay's control plane. */
#ifndef SRVD_SRVD_H
#define SRVD_SRVD_H

#include "base/log.h"
#include "conf.h"
#include "look.h"
#include "seen.h"

#include <ev.h>

struct np_at_keys;
struct np_at_notification;
struct np_directory;
struct np_err;
struct np_monitor;
struct np_relay;
struct np_relay_session;
struct np_splice;
struct np_tls_ctx;

struct srvd {
	struct ev_loop *loop;
	const struct srvd_conf *conf;
	struct np_at_keys *keys;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
	struct np_at_client *client; /* for answers */
	struct lookers lookers;	     /* for keys */
	struct np_monitor *monitor;
	struct np_splice *splice;
	struct np_relay *relay;
	struct seen seen; /* notification ids and session ids */
	struct np_log_limit denials;
	bool is_ready; /* was announced */
	ev_signal term, intr;
};

/**
 * srvd_request_is_wanted() - may @from ask, and is it a question? Others are denied before
 * decryption.
 */
bool srvd_request_is_wanted(struct srvd *srvd, const char *from, const char *name);
/** srvd_request() - a notification of the relay's namespace came (4.3). */
void srvd_request(struct srvd *srvd, const struct np_at_notification *note);

/**
 * srvd_auth_prepare() - start fetching the public keys that @session's sides will be checked with.
 */
int srvd_auth_prepare(struct srvd *srvd, struct np_relay_session *session, struct np_err *err);
/* The relay core's callbacks; @arg is the struct srvd. */
int srvd_auth_verify(struct np_relay_session *session, unsigned int side, const char *line,
		     size_t len, struct np_err *err, void *arg);
void srvd_auth_closed(struct np_relay_session *session, void *arg);

#endif
