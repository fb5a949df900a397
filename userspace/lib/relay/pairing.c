// SPDX-License-Identifier: BSD-3-Clause
#include "relay/pairing.h"

#include <stddef.h>

void np_waiters_append(struct np_waiters *list, struct np_waiter *waiter)
{
	np_waiter_remove(waiter);
	waiter->list = list;
	waiter->prev = list->last;
	waiter->next = NULL;
	if (list->last)
		list->last->next = waiter;
	else
		list->first = waiter;
	list->last = waiter;
	list->nr++;
}

void np_waiter_remove(struct np_waiter *waiter)
{
	struct np_waiters *list = waiter->list;

	if (!list)
		return;
	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		list->first = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		list->last = waiter->prev;
	list->nr--;
	waiter->prev = waiter->next = NULL;
	waiter->list = NULL;
}

bool np_pairing_take(struct np_pairing *pairing, struct np_waiter *pair[2])
{
	if (!pairing->side[0].first || !pairing->side[1].first)
		return false;
	pair[0] = pairing->side[0].first;
	pair[1] = pairing->side[1].first;
	np_waiter_remove(pair[0]);
	np_waiter_remove(pair[1]);
	return true;
}
