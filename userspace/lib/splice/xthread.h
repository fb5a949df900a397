/* SPDX-License-Identifier: BSD-3-Clause */
/* One helper thread for what blocks: loading the program, and waiting for a grace period. One job
 * at a time. */
#ifndef NP_SPLICE_XTHREAD_H
#define NP_SPLICE_XTHREAD_H

struct ev_loop;
struct np_xthread;

/**
 * np_xthread_start() - @done is called in the loop after each job.
 * @job: runs in the thread
 */
int np_xthread_start(struct ev_loop *loop, void (*done)(void *arg), void *arg,
		     struct np_xthread **out);
/** np_xthread_run() - start @job; the previous one must be done. */
void np_xthread_run(struct np_xthread *thread, void (*job)(void *arg));
/** np_xthread_stop() - waits for a running job; done is not called for it. NULL is accepted. */
void np_xthread_stop(struct np_xthread *thread);

#endif
