// SPDX-License-Identifier: BSD-3-Clause
/*
 * May sockmap be used here? By the kernel's version, since some corrupt data rarely, and by trying.
 */
#include "splice/sockmap.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct version {
	unsigned int major, minor, patch;
};

/*
 * First release of each series with "bpf, sockmap: fix duplicated data transmission" (3b4f14b79428)
 * and "Fix data lost during EAGAIN retries" (7683167196bd). Without them bytes are doubled when the
 * peer's send buffer fills up. Series that are not named ended before the fix, all from 6.16 on
 * have it.
 */
static const struct version fixed[] = {
	{5, 15, 186}, {6, 1, 142}, {6, 6, 94}, {6, 12, 34}, {6, 15, 3}};
static const struct version all_fixed = {6, 16, 0};

static bool parse(const char *text, struct version *v)
{
	v->patch = 0;
	return sscanf(text, "%u.%u.%u", &v->major, &v->minor, &v->patch) >= 2;
}

/* Distributions freeze the release's number and tell the real one elsewhere. */
static bool real_version(const char *release, const char *version, const char *signature,
			 struct version *v)
{
	const char *debian = strstr(version, "Debian ");
	const char *ubuntu = strncmp(signature, "Ubuntu ", 7) ? NULL : strrchr(signature, ' ');

	if (ubuntu && parse(ubuntu + 1, v))
		return true;
	if (debian && parse(debian + strlen("Debian "), v))
		return true;
	return parse(release, v);
}

int np_sockmap_kernel(const char *release, const char *version, const char *signature,
		      struct np_err *err)
{
	struct version v;
	size_t i;

	if (!real_version(release, version, signature, &v))
		return np_fail(err, -EOPNOTSUPP, "kernel version '%s' is not understood", release);
	if (v.major > all_fixed.major || (v.major == all_fixed.major && v.minor >= all_fixed.minor))
		return 0;
	for (i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		if (v.major != fixed[i].major || v.minor != fixed[i].minor)
			continue;
		if (v.patch >= fixed[i].patch)
			return 0;
		return np_fail(
			err, -EOPNOTSUPP,
			"kernel %u.%u.%u doubles bytes in sockmap, update to %u.%u.%u or later",
			v.major, v.minor, v.patch, v.major, v.minor, fixed[i].patch);
	}
	return np_fail(
		err, -EOPNOTSUPP,
		"kernels %u.%u double bytes in sockmap, 6.16 and the long-term series have the fix",
		v.major, v.minor);
}

static void read_signature(char *dst, size_t size)
{
	int fd = open("/proc/version_signature", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, dst, size - 1);

	if (fd >= 0)
		close(fd);
	dst[n > 0 ? n : 0] = '\0';
	dst[strcspn(dst, "\n")] = '\0';
}

static int open_gate(struct np_err *err)
{
	char signature[128];
	struct utsname name;
	int ret;

	if (uname(&name))
		return np_fail_errno(err, -errno, "kernel version");
	read_signature(signature, sizeof(signature));
	ret = np_sockmap_kernel(name.release, name.version, signature, err);
	if (!ret)
		ret = np_sockmap_load(0, err);
	if (ret)
		return ret;
	ret = np_sockmap_selftest(err);
	if (ret) {
		np_err_prefix(err, "sockmap self-test");
		np_sockmap_unload();
	}
	return ret;
}

int np_sockmap_gate(struct np_err *err)
{
	static struct np_err why;
	static bool asked;

	if (!asked)
		why.code = open_gate(&why);
	asked = true;
	if (err)
		*err = why;
	return why.code;
}
