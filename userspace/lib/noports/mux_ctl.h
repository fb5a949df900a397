/* SPDX-License-Identifier: BSD-3-Clause */
/* The text on the control socket of a session with many connections (noports.md 6.4): reader and
 * writer. */
#ifndef NP_NOPORTS_MUX_CTL_H
#define NP_NOPORTS_MUX_CTL_H

#include "noports/sessionkeys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_buf;
struct np_err;

#define NP_MUX_CTL_MAX                                                                             \
	4096 /* longest message, and all that is kept of a peer that does not end its lines */

enum np_mux_ctl_type {
	NP_MUX_CONNECT,	  /* open a data pair with these keys */
	NP_MUX_CLEAR,	  /* open one without encryption */
	NP_MUX_HEARTBEAT, /* still there */
	NP_MUX_UNKNOWN,	  /* some message of a later generation */
};

struct np_mux_ctl {
	enum np_mux_ctl_type type;
	struct np_session_keys keys; /* NP_MUX_CONNECT */
	uint64_t heartbeat;	     /* NP_MUX_HEARTBEAT */
};
void np_mux_ctl_fini(struct np_mux_ctl *msg);

/**
 * struct np_mux_reader - reassembles what comes in, whatever way it is cut.
 * @twin: the session has a key per direction: its peers end every message with LF
 */
struct np_mux_reader {
	char text[NP_MUX_CTL_MAX + 1];
	size_t len;
	bool twin, seen_lf;
};
void np_mux_reader_fini(struct np_mux_reader *reader); /* wipes */
/** np_mux_reader_room() - how many bytes np_mux_reader_put() takes now. */
size_t np_mux_reader_room(const struct np_mux_reader *reader);
int np_mux_reader_put(struct np_mux_reader *reader, const void *data, size_t len);
/**
 * np_mux_reader_next() - take one message.
 * Peers older than 5.6.1 end no line: until the first LF, and without twin keys, a complete message
 * without one counts too. With twin keys it must not: the first 77 bytes of such a message look
 * like one with a single key.
 *
 * Return: 1 with a message, 0 when there is none yet, -EMSGSIZE when it does not end within
 * NP_MUX_CTL_MAX bytes, -EPROTO when it asks for a connection in a way that cannot be understood:
 * the session must end, as all later connections would be matched wrongly.
 */
int np_mux_reader_next(struct np_mux_reader *reader, struct np_mux_ctl *msg, struct np_err *err);

/** np_mux_ctl_write() - append the message, with its LF. */
int np_mux_ctl_write(const struct np_mux_ctl *msg, struct np_buf *out);

#endif
