// SPDX-License-Identifier: BSD-3-Clause
#include "relay/pairing.h"

#include "harness/ktap.h"

static struct np_waiter w[8];

static void fifo_on_both_sides(void)
{
	struct np_pairing pairing = {0};
	struct np_waiter *pair[2];
	int i;

	memset(w, 0, sizeof(w));
	KTAP_OK(!np_pairing_take(&pairing, pair));
	for (i = 0; i < 3; i++)
		np_waiters_append(&pairing.side[0], &w[i]);
	KTAP_OK(!np_pairing_take(&pairing, pair));
	for (i = 4; i < 6; i++)
		np_waiters_append(&pairing.side[1], &w[i]);
	KTAP_OK(np_pairing_take(&pairing, pair) && pair[0] == &w[0] && pair[1] == &w[4]);
	KTAP_OK(np_pairing_take(&pairing, pair) && pair[0] == &w[1] && pair[1] == &w[5]);
	KTAP_OK(!np_pairing_take(&pairing, pair));
	KTAP_EQ(pairing.side[0].nr, 1);
	KTAP_OK(pairing.side[0].first == &w[2] && pairing.side[0].last == &w[2]);
}

static void removal_keeps_the_order(void)
{
	struct np_pairing pairing = {0};
	struct np_waiter *pair[2];
	int i;

	memset(w, 0, sizeof(w));
	for (i = 0; i < 4; i++)
		np_waiters_append(&pairing.side[0], &w[i]);
	np_waiter_remove(&w[1]);
	np_waiter_remove(&w[0]);
	np_waiter_remove(&w[0]); /* in no list any more */
	np_waiter_remove(&w[3]);
	KTAP_EQ(pairing.side[0].nr, 1);
	np_waiters_append(&pairing.side[0], &w[0]);
	np_waiters_append(&pairing.side[1], &w[6]);
	np_waiters_append(&pairing.side[1], &w[7]);
	KTAP_OK(np_pairing_take(&pairing, pair) && pair[0] == &w[2] && pair[1] == &w[6]);
	KTAP_OK(np_pairing_take(&pairing, pair) && pair[0] == &w[0] && pair[1] == &w[7]);
	KTAP_EQ(pairing.side[0].nr + pairing.side[1].nr, 0);
	KTAP_OK(!pairing.side[0].first && !pairing.side[0].last);
}

static void appending_moves_between_lists(void)
{
	struct np_waiters one = {0}, two = {0};

	memset(w, 0, sizeof(w));
	np_waiters_append(&one, &w[0]);
	np_waiters_append(&two, &w[0]);
	KTAP_EQ(one.nr, 0);
	KTAP_EQ(two.nr, 1);
	KTAP_OK(!one.first && two.first == &w[0] && w[0].list == &two);
}

int main(void)
{
	KTAP_RUN(fifo_on_both_sides);
	KTAP_RUN(removal_keeps_the_order);
	KTAP_RUN(appending_moves_between_lists);
	return ktap_done();
}
