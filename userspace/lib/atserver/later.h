/* SPDX-License-Identifier: BSD-3-Clause */
/* An answer that waits for some time: noop with a duration, the penalty for wrong passcodes. */
#ifndef NP_ATSERVER_LATER_H
#define NP_ATSERVER_LATER_H

struct np_session;

/** np_later() - call @fn, which answers @s, in @ms. The connection waits until then. */
void np_later(struct np_session *s, unsigned int ms, void (*fn)(struct np_session *s));

#endif
