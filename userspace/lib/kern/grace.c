// SPDX-License-Identifier: BSD-3-Clause
#include "kern/grace.h"

#include "base/err.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

int np_grace_probe(struct np_err *err)
{
	long can = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (can < 0 || !(can & MEMBARRIER_CMD_GLOBAL))
		return np_fail(err, -EOPNOTSUPP,
			       "the kernel has no MEMBARRIER_CMD_GLOBAL (CONFIG_MEMBARRIER off, or "
			       "nohz_full in use)");
	return 0;
}

int np_grace_wait(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ? -errno : 0;
}
