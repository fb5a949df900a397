// SPDX-License-Identifier: BSD-3-Clause
/* A reader that never reads: how many bytes does the path take before it pushes back? */
#include "npload.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static uint8_t io_buf[LOAD_BUF];

int stall_main(const struct opts *o)
{
	struct ask ask = { .magic = ASK_MAGIC, .mode = LOAD_STALL, .flags = ASK_READY };
	uint64_t accepted = 0, last_at, start, end;
	struct conn c = { .fd = -1 };
	struct report r;
	ssize_t n;
	int ret = conn_open_ready(&c, o, &ask);

	if (ret) {
		complain("stall: cannot connect: %s", strerror(-ret));
		return 1;
	}
	last_at = start = now_ns();
	end = start + (uint64_t)(o->seconds * 1e9);
	while (now_ns() < end) {
		n = send(c.fd, io_buf, sizeof(io_buf), MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN) {
			complain("stall: %s", strerror(errno));
			close(c.fd);
			return 1;
		}
		if (n > 0) {
			accepted += (uint64_t)n;
			last_at = now_ns();
		} else {
			net_wait(c.fd, POLLOUT, 20);
		}
	}
	net_reset(c.fd);
	report_begin(&r, o->json, "stall");
	report_f64(&r, "seconds", (double)(now_ns() - start) / 1e9);
	report_u64(&r, "accepted_bytes", accepted);
	report_f64(&r, "last_accept_s", (double)(last_at - start) / 1e9);
	report_end(&r);
	return 0;
}
