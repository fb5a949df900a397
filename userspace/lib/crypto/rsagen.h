/* SPDX-License-Identifier: BSD-3-Clause */
/* An RSA key pair made in a thread: it takes tens of milliseconds that the loop has better uses for. */
#ifndef NP_CRYPTO_RSAGEN_H
#define NP_CRYPTO_RSAGEN_H

struct ev_loop;
struct np_rsa;
struct np_rsagen;

/** typedef np_rsagen_cb - @key belongs to the callee; NULL when OpenSSL failed. */
typedef void (*np_rsagen_cb)(struct np_rsa *key, void *arg);

/** np_rsagen_start() - the callback comes once, from the loop; the object frees itself after it. */
int np_rsagen_start(struct ev_loop *loop, np_rsagen_cb cb, void *arg, struct np_rsagen **out);
/** np_rsagen_cancel() - no callback follows; waits for the thread. NULL is accepted. */
void np_rsagen_cancel(struct np_rsagen *gen);

#endif
