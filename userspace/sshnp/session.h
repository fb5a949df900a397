/* SPDX-License-Identifier: BSD-3-Clause */
/* The control plane of one session: from our atSign to keys and a relay address (noports.md 7, steps 7 to 11). */
#ifndef SSHNP_SESSION_H
#define SSHNP_SESSION_H

#include "base/buf.h"
#include "noports/msg.h"
#include "noports/sessionkeys.h"

struct ev_loop;
struct np_err;
struct session;
struct sshnp_conf;

/**
 * struct session_result - what the data plane needs.
 * @auth_line: our relay authentication line without LF, empty when the relay wants none
 * @ephemeral_key: PEM text for the tunnel session of --no-et; may be empty
 * @relay_fd: connected to the relay's port A and authenticated, or -1: then the bridge connects
 * @remote_user: "" when not known (and not needed)
 */
struct session_result {
	char sid[NP_UUID_SIZE];
	struct np_relay_answer relay;
	struct np_session_keys keys;
	struct np_buf auth_line;
	struct np_secret ephemeral_key;
	char remote_user[64];
	int relay_fd;
};
void session_result_fini(struct session_result *result);

/**
 * session_start() - run the flow; @on_done is called once from the loop.
 * @on_done: @result is NULL on failure, else borrowed (its parts may be taken)
 */
int session_start(struct ev_loop *loop, const struct sshnp_conf *conf,
		  void (*on_done)(struct session_result *result, const struct np_err *err, void *arg), void *arg,
		  struct session **out, struct np_err *err);
void session_free(struct session *session); /* no callback follows; NULL is accepted */

#endif
