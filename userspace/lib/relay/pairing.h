/* SPDX-License-Identifier: BSD-3-Clause */
/* First come, first matched: the only matching rule that both ends share (noports.md 5.2). */
#ifndef NP_RELAY_PAIRING_H
#define NP_RELAY_PAIRING_H

#include <stdbool.h>

/* Embedded in what waits. */
struct np_waiter {
	struct np_waiter *prev, *next;
	struct np_waiters *list; /* NULL while in none */
};

struct np_waiters {
	struct np_waiter *first, *last;
	unsigned int nr;
};

struct np_pairing {
	struct np_waiters side[2];
};

void np_waiters_append(struct np_waiters *list, struct np_waiter *waiter);
void np_waiter_remove(struct np_waiter *waiter); /* from whatever list; harmless when in none */
/** np_pairing_take() - the heads of both queues, removed. Return: false when one side has none. */
bool np_pairing_take(struct np_pairing *pairing, struct np_waiter *pair[2]);

#endif
