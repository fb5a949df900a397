/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * atload: writes to an atServer and notes down what was acknowledged; checks later that all of it
 * is there.
 *
 * The journal has one line per acknowledged change: "u KEY" (a record of its own, whose value
 * follows from the key), "c KEY N" (a counter that was set to N), "n ID" (a notification).
 */
#ifndef HARNESS_ATLOAD_H
#define HARNESS_ATLOAD_H

#include "at/atsign.h"
#include "cli/opt.h"

struct ev_loop;
struct np_at_keys;
struct np_directory;
struct np_err;
struct np_tls_ctx;

#define ATLOAD_VALUE_MAX 512

struct atload {
	/* options */
	const char *root_domain, *root_ca, *atsign, *keys_path, *to, *to_keys_path, *journal;
	uint64_t conns, ops, value_len, deadline_ms;
	/* run time */
	struct ev_loop *loop;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
	char me[NP_ATSIGN_MAX], peer[NP_ATSIGN_MAX];
	struct np_at_keys *keys, *peer_keys;
};

/** atload_value() - the value that belongs to @key: as long as asked for, different for each. */
void atload_value(const struct atload *load, const char *key, char dst[ATLOAD_VALUE_MAX]);
/** atload_write() - until SIGTERM, or --ops changes were acknowledged. Return: exit status. */
int atload_write(struct atload *load);
/** atload_check() - Return: exit status, 1 when something acknowledged is missing. */
int atload_check(struct atload *load);

#endif
