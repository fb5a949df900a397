/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control plane of one session at the client: from our atSign to keys and a relay address
 * (noports.md 7, steps 7 to 11, and 8).
 */
#ifndef NP_NOPORTS_FLOW_H
#define NP_NOPORTS_FLOW_H

#include "base/buf.h"
#include "noports/link.h"
#include "noports/msg.h"
#include "noports/sessionkeys.h"

struct np_err;
struct np_flow;

/**
 * struct np_flow_result - what the data plane needs.
 * @auth_line: our relay authentication line without LF, empty when the relay wants none
 * @ephemeral_key: PEM text for the tunnel session of --no-et; may be empty
 * @relay_fd: connected to the relay's port A and authenticated, or -1: then the bridge connects
 * @remote_user: "" when not known (and not needed)
 */
struct np_flow_result {
	char sid[NP_UUID_SIZE];
	struct np_relay_answer relay;
	struct np_session_keys keys;
	struct np_buf auth_line;
	struct np_secret ephemeral_key;
	char remote_user[64];
	bool device_takes_heartbeats; /* on the control socket of an npt session */
	int relay_fd;
};
void np_flow_result_fini(struct np_flow_result *result);

/**
 * struct np_flow_params - what is asked for. Texts are borrowed for the life of the flow.
 * @to, @device, @relay: whom
 * @auth_client, @auth_device: who authenticates to the relay; @encrypt: what passes it
 * @public_key: an ssh public key line that the device shall accept, or NULL
 * @need_user: the user's name on the device is part of the result; @remote_user: when it is known
 * @is_npt: a TCP session to @target_host:@target_port, @timeout_ms as in noports/mux.h
 * @connect_early: dial the relay while the device still works (struct np_flow_result, relay_fd)
 * @on_done: once, from the loop; @result is NULL on failure, else borrowed (its parts may be taken)
 */
struct np_flow_params {
	struct np_link_params link;
	const char *to, *device, *relay;
	bool auth_client, auth_device, encrypt, connect_early;
	unsigned int ping_timeout_s;
	/* ssh */
	const char *public_key, *remote_user;
	bool need_user;
	/* npt */
	bool is_npt;
	const char *target_host;
	uint16_t target_port;
	uint64_t timeout_ms;
	void (*on_done)(struct np_flow_result *result, const struct np_err *err, void *arg);
	void *arg;
};
int np_flow_start(const struct np_flow_params *params, struct np_flow **out, struct np_err *err);
void np_flow_free(struct np_flow *session); /* no callback follows; NULL is accepted */

#endif
