/* SPDX-License-Identifier: BSD-3-Clause */
/* A certificate that is renewed while the program runs: new connections present the new one. */
#ifndef NP_TLS_CERTWATCH_H
#define NP_TLS_CERTWATCH_H

#include <stddef.h>

struct ev_loop;
struct np_certwatch;
struct np_tls_ctx;

#define NP_CERTWATCH_CTXS 4

/**
 * np_certwatch_new() - watch the PEM files @cert and @key (paths are copied). A second after one of
 * them changed, both are read into all @ctxs; a pair that does not fit is logged and the old one
 * stays, until the files change again.
 * @ctxs: at most NP_CERTWATCH_CTXS, borrowed; they outlive the watch
 */
int np_certwatch_new(struct ev_loop *loop, const char *cert, const char *key,
		     struct np_tls_ctx *const *ctxs, size_t nr, struct np_certwatch **out);
/** np_certwatch_now() - read the files at once, e.g. on SIGHUP. Return: 0, or negative errno (logged). */
int np_certwatch_now(struct np_certwatch *watch);
void np_certwatch_free(struct np_certwatch *watch); /* NULL is accepted */

#endif
