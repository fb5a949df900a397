/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane of one session: bridge, tunnel session where needed, and the user's ssh (noports.md 7, 12-14). */
#ifndef SSHNP_RUN_H
#define SSHNP_RUN_H

struct ev_loop;
struct np_err;
struct run;
struct np_flow_result;
struct sshnp_conf;

/**
 * run_start() - go on from an established session.
 * @result: borrowed for the life of the run
 * @on_done: once; @exit_code is the program's, @err (may be NULL) why it failed
 */
int run_start(struct ev_loop *loop, const struct sshnp_conf *conf, struct np_flow_result *result,
	      void (*on_done)(int exit_code, const struct np_err *err, void *arg), void *arg, struct run **out,
	      struct np_err *err);
/** run_is_interactive() - the user's ssh is running: the terminal's interrupts are its business. */
int run_is_interactive(const struct run *run);
void run_free(struct run *run); /* NULL is accepted */

#endif
