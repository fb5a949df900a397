/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers: what is written for one command, with its prompt, as one TLS record (atprotocol.md 3.6,
 * 4). Answers are gathered and leave at the end of the turn, after the commit. One that depends on
 * a commit that failed turns into AT0002 there.
 */
#ifndef NP_ATSERVER_RESPOND_H
#define NP_ATSERVER_RESPOND_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct np_err;
struct np_json;
struct np_session;

struct np_reply {
	STAILQ_ENTRY(np_reply) next;
	struct np_session *s;
	bool touched; /* depends on the turn's transaction */
	size_t len;
	char text[];
};

/* While s->capture points to one, the answer goes into it and is not sent: a command of a batch. */
struct np_capture {
	bool is_error;
	char code[12];	    /* of an error */
	struct np_buf text; /* what stands behind "data:", or the error's text */
};

/** np_respond_data() - "data:", @len bytes, LF and the prompt. */
void np_respond_data(struct np_session *s, const void *data, size_t len);
void np_respond_str(struct np_session *s, const char *text);
/** np_respond_printf() - as np_respond_str() for short texts. */
void np_respond_printf(struct np_session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** np_respond_json() - as data; takes @json, NULL answers with AT0010. */
void np_respond_json(struct np_session *s, struct np_json *json);
/** np_respond_spaced() - "data: " with a blank, as stats and notify:all have it (4.1); takes @json.
 */
void np_respond_spaced(struct np_session *s, struct np_json *json);
/** np_respond_raw() - the bytes alone, e.g. the bare "@bob@" of pol. */
void np_respond_raw(struct np_session *s, const void *data, size_t len);
/**
 * np_respond_error() - an error in the form that this connection is due (4.2: forms 1 to 3).
 * Codes that end a connection (4.3) do so after the line was sent.
 */
void np_respond_error(struct np_session *s, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** np_respond_err() - the same for @err: its remote code, or AT0010 without one. Never the end. */
void np_respond_err(struct np_session *s, const struct np_err *err);
/** np_respond_colon() - form 4, "error:<code>:<message>", which clients search for. */
void np_respond_colon(struct np_session *s, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** np_respond_missing() - AT0015 for a key that is not there; at_c knows it by its exact text. */
void np_respond_missing(struct np_session *s, const char *key);
/** np_respond_store() - the store refused a change: AT0002. */
void np_respond_store(struct np_session *s);
/** np_respond_parse() - read an error line of another server (without prompt) into @err. Return:
 * its code. */
int np_respond_parse(const char *line, struct np_err *err);

#endif
