/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting until every segment that is under way in the kernel has arrived where it was going. */
#ifndef NP_KERN_GRACE_H
#define NP_KERN_GRACE_H

struct np_err;

/** np_grace_probe() - can np_grace_wait() work here? 0 or -EOPNOTSUPP. */
int np_grace_probe(struct np_err *err);
/**
 * np_grace_wait() - an RCU grace period, some 10 ms: a packet on whose way a program had looked at
 * a map before the call has reached its socket afterwards. Blocks; callers with an event loop use a
 * thread.
 */
int np_grace_wait(void);

#endif
