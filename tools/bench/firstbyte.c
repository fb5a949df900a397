// SPDX-License-Identifier: BSD-3-Clause
/*
 * firstbyte [--timeout SECONDS] CMD ARG...: run CMD with an open standard input, print the milliseconds until its first
 * byte of standard output, end it. Exit 1 when it wrote nothing. What a person waits for before ssh can begin.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static pid_t start(char **argv, int in, int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp(argv[0], argv);
	fprintf(stderr, "firstbyte: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int main(int argc, char **argv)
{
	int in[2], out[2], timeout_s = 60, status, first = 1;
	struct pollfd pfd;
	double begin, end;
	char byte;
	pid_t pid;

	if (argc > 2 && !strcmp(argv[1], "--timeout")) {
		timeout_s = atoi(argv[2]);
		first = 3;
	}
	if (argc <= first || timeout_s <= 0) {
		fprintf(stderr, "usage: firstbyte [--timeout SECONDS] CMD ARG...\n");
		return 2;
	}
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) {
		perror("firstbyte: pipe");
		return 1;
	}
	begin = now_ms();
	pid = start(argv + first, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	pfd = (struct pollfd){ .fd = out[0], .events = POLLIN };
	status = poll(&pfd, 1, timeout_s * 1000) == 1 && read(out[0], &byte, 1) == 1 ? 0 : 1;
	end = now_ms();
	/* Closing its input ends a session in order; what stays is ended. */
	close(in[1]);
	close(out[0]);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	if (status)
		fprintf(stderr, "firstbyte: nothing was written within %d s\n", timeout_s);
	else
		printf("%.2f\n", end - begin);
	return status;
}
