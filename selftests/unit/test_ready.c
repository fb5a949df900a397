// SPDX-License-Identifier: BSD-3-Clause
#include "base/ready.h"
#include "harness/ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void announce_writes_one_line_and_closes(void)
{
	char text[64] = "";
	int fds[2];

	unsetenv("NOTIFY_SOCKET");
	if (pipe(fds))
		abort();
	KTAP_EQ(np_ready_announce(fds[1], "{\"port\":1}"), 0);
	KTAP_OK(fcntl(fds[1], F_GETFD) < 0);
	KTAP_EQ(read(fds[0], text, sizeof(text) - 1), 11);
	KTAP_STREQ(text, "{\"port\":1}\n");
	KTAP_EQ(read(fds[0], text, sizeof(text)), 0);
	close(fds[0]);
	KTAP_EQ(np_ready_announce(-1, "{}"), 0);
}

/* An abstract socket needs no file; its name is made by the kernel. */
static int notify_socket(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sun);
	char name[108];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	size_t n;

	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sa_family_t)) ||
	    getsockname(fd, (struct sockaddr *)&sun, &len))
		abort();
	n = len - offsetof(struct sockaddr_un, sun_path);
	memcpy(name, sun.sun_path, n);
	name[0] = '@';
	name[n] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void service_manager_hears(void)
{
	char text[64] = "";
	int fd = notify_socket();

	KTAP_EQ(np_ready_announce(-1, "{}"), 0);
	KTAP_EQ(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
	KTAP_STREQ(text, "READY=1");
	KTAP_EQ(np_sd_notify("STOPPING=1"), 0);
	KTAP_EQ(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 10);
	close(fd);
	unsetenv("NOTIFY_SOCKET");
}

static void bad_socket_names_are_errors(void)
{
	char name[200];

	KTAP_EQ(np_sd_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	KTAP_EQ(np_sd_notify("READY=1"), -ENOENT);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	KTAP_EQ(np_sd_notify("READY=1"), -ENAMETOOLONG);
	unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
	KTAP_RUN(announce_writes_one_line_and_closes);
	KTAP_RUN(service_manager_hears);
	KTAP_RUN(bad_socket_names_are_errors);
	return ktap_done();
}
