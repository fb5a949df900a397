/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections to other atServers: pooled, one per (our atSign, theirs, with or without pol), one
 * request at a time (atprotocol.md 9.4, 16, 19.4). Hosted atSigns are never reached this way.
 */
#ifndef NP_ATSERVER_OUTBOUND_H
#define NP_ATSERVER_OUTBOUND_H

#include <stdbool.h>
#include <stdint.h>

struct np_atserver;
struct np_err;
struct np_outbound;
struct np_tenant;

#define NP_OUTBOUND_LOOKUP_MS 5000
#define NP_OUTBOUND_NOTIFY_MS 10000
#define NP_OUTBOUND_SCAN_MS 3000

/**
 * typedef np_outbound_cb - the outcome of a request, from the loop.
 * @line: the answer without its prompt, e.g. "data:..." or "error:..."; NULL on failure
 * @err: why there is none; @err->remote is the code to answer with
 */
typedef void (*np_outbound_cb)(char *line, const struct np_err *err, void *arg);

/** struct np_request - what to ask whom. Texts are copied. */
struct np_request {
	struct np_tenant
		*as;	     /* on whose behalf; NULL: nobody's (the look-ups of an incoming pol) */
	const char *remote;  /* atSign, normal form */
	bool pol;	     /* prove who we are first */
	const char *command; /* without LF */
	unsigned int timeout_ms;
	np_outbound_cb cb;
	void *arg;
};

int np_outbound_open(struct np_atserver *srv, struct np_outbound **out);
void np_outbound_close(struct np_outbound *out); /* no callback follows */
/** np_outbound_send() - Return: 0 and a callback later, or -ENOMEM. */
int np_outbound_send(struct np_outbound *out, const struct np_request *req);
/** np_outbound_cancel() - no callback with this @arg follows. */
void np_outbound_cancel(struct np_outbound *out, const void *arg);
/** np_outbound_nr() - connections to other servers, also those being made. */
unsigned int np_outbound_nr(const struct np_outbound *out);
/** np_outbound_tick() - drop idle connections; call about once a second. */
void np_outbound_tick(struct np_outbound *out);

#endif
