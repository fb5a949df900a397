/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * atbench: load for one atServer. Encryption is left to others: values are texts that only look
 * encrypted, since the server is what is measured.
 */
#ifndef ATBENCH_H
#define ATBENCH_H

#include "at/atsign.h"
#include "at/conn.h"
#include "cli/opt.h"

struct ev_loop;
struct np_at_keys;
struct np_directory;
struct np_err;
struct np_tls_ctx;

#define ATBENCH_VALUE_MAX 4096
#define ATBENCH_VALUE_MIN 24 /* time stamp and number */

struct atbench {
	/* options; key files are in ~/.atsign/keys */
	const char *root_domain, *root_ca, *latencies;
	struct cli_list senders, receivers, atsigns;
	uint64_t window, rate, warmup_ms, run_ms, value_len; /* rate 0: as fast as it goes */
	uint64_t connections, opening;
	/* run time */
	struct ev_loop *loop;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
};

/* An atSign with its keys. */
struct atbench_who {
	char name[NP_ATSIGN_MAX];
	struct np_at_keys *keys;
};

int atbench_load_keys(const char *atsign, struct atbench_who *who, struct np_err *err);
/** atbench_open() - one logged-in connection of @who. */
int atbench_open(const struct atbench *bench, const struct atbench_who *who,
		 const struct np_at_conn_ops *ops, void *arg, struct np_at_conn **out,
		 struct np_err *err);

/** atbench_notify() - notifications from senders to receivers. Return: exit status. */
int atbench_notify(struct atbench *bench);
/** atbench_monitors() - connections that only listen. Return: exit status. */
int atbench_monitors(struct atbench *bench);

#endif
