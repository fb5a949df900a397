/* SPDX-License-Identifier: BSD-3-Clause */
/* --list-devices: what is shared with us, and what of it answers now (noports.md 7). */
#ifndef SSHNP_LIST_H
#define SSHNP_LIST_H

struct ev_loop;
struct list;
struct np_err;
struct sshnp_conf;

/** list_start() - @on_done once: @err NULL after the list was printed on stderr. */
int list_start(struct ev_loop *loop, const struct sshnp_conf *conf,
	       void (*on_done)(const struct np_err *err, void *arg), void *arg, struct list **out, struct np_err *err);
void list_free(struct list *list); /* NULL is accepted */

#endif
