// SPDX-License-Identifier: BSD-3-Clause
#include "base/ready.h"

#include "base/fd.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int np_sd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd, ret = 0;

	if (!len)
		return 0;
	if (len >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, len);
	if (sun.sun_path[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sun,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		ret = -errno;
	np_fd_close(&fd);
	return ret;
}

int np_ready_announce(int ready_fd, const char *json_line)
{
	int ret = 0;

	if (ready_fd >= 0) {
		ret = np_fd_write_all(ready_fd, json_line, strlen(json_line));
		if (!ret)
			ret = np_fd_write_all(ready_fd, "\n", 1);
		np_fd_close(&ready_fd);
	}
	np_sd_notify("READY=1");
	return ret;
}
