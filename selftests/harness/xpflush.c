// SPDX-License-Identifier: BSD-3-Clause
/* xpflush: removes everything of express from this network namespace. Exit 0; 1 with the reason. */
#include "base/err.h"
#include "kern/bpfobj.h"

#include <stdio.h>

int main(void)
{
	struct np_err err = NP_ERR_INIT;

	if (!np_bpfobj_flush(&err))
		return 0;
	fprintf(stderr, "xpflush: %s\n", np_err_text(&err));
	return 1;
}
