// SPDX-License-Identifier: BSD-3-Clause
#include "store/store.h"

void np_store_close(struct np_store *store)
{
	if (store)
		store->ops->close(store);
}
