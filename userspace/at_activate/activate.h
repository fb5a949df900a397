/* SPDX-License-Identifier: BSD-3-Clause */
/* at_activate: what its commands share. */
#ifndef AT_ACTIVATE_ACTIVATE_H
#define AT_ACTIVATE_ACTIVATE_H

#include "at/atsign.h"
#include "at/conn.h"
#include "base/err.h"
#include "cli/opt.h"

#include <limits.h>

struct activate_conf {
	const char *atsign_text, *root_domain, *root_ca, *key_path;
	const char *cram_key, *cram_file;
	bool resume, json;
	/* derived */
	char atsign[NP_ATSIGN_MAX];
	char path[PATH_MAX];
};

/* One conversation with the directory and an atServer; a step is one command and its answer. */
struct talk {
	struct ev_loop *loop;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
	struct np_at_conn *conn;
	bool is_up, is_over, has_answer;
	struct np_err err; /* code 0 while all is well */
	char *answer;	   /* of the last command */
};

int talk_open(struct talk *t, const struct activate_conf *conf);
void talk_close(struct talk *t);
/**
 * talk_login() - connect (a former connection ends), log in with @keys or @cram, or not at all.
 * Return: 0, or negative errno with @t->err.
 */
int talk_login(struct talk *t, const char *atsign, const struct np_at_keys *keys,
	       const struct np_secret *cram);
/**
 * talk_ask() - one command; its answer in @t->answer until the next. @what: for the message, e.g.
 * "publish the key".
 */
int talk_ask(struct talk *t, const char *line, const char *what);

/**
 * is_activated() - does @atsign publish its encryption key? Connects without logging in.
 * Return: 1 yes, 0 no, negative errno with @t->err.
 */
int is_activated(struct talk *t, const char *atsign);

/** complain() - the message on stderr. Return: 1, the exit status. */
int complain(const struct np_err *err);

int cmd_onboard(void *conf, const struct cli_parse *parse);
int cmd_status(void *conf, const struct cli_parse *parse);
/** conf_finish() - normalise; -EINVAL is a usage error. */
int conf_finish(struct activate_conf *conf, struct np_err *err);

#endif
