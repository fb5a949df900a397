// SPDX-License-Identifier: BSD-3-Clause
#include "kern/caps.h"

#include "base/err.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has(uint64_t set, unsigned int cap)
{
	return set >> cap & 1;
}

int np_caps_need_express(struct np_err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	const char *missing = NULL;
	uint64_t set;

	if (syscall(SYS_capget, &head, data) < 0)
		return np_fail_errno(err, -errno, "cannot read the capabilities of this process");
	set = data[0].effective | (uint64_t)data[1].effective << 32;
	if (!has(set, CAP_NET_ADMIN))
		missing = "CAP_NET_ADMIN";
	else if (!has(set, CAP_NET_RAW))
		missing = "CAP_NET_RAW";
	else if (!has(set, CAP_BPF) && !has(set, CAP_SYS_ADMIN))
		missing = "CAP_BPF";
	return missing ? np_fail(err, -EPERM, "needs %s: start it as root or grant the capability",
				 missing)
		       : 0;
}
