/* SPDX-License-Identifier: BSD-3-Clause */
/* npload: the load generator of the benchmarks; both of its ends are this one program. */
#ifndef NPLOAD_H
#define NPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LOAD_BUF	(256 * 1024)
#define AUTH_MAX	4096
#define ASK_MAGIC	0x316c706eu	/* "npl1" */
#define NO_BAD_BYTE	UINT64_MAX

/*
 * The client opens a connection with an optional authentication line for the relay, then one
 * struct ask that tells the server end what to do with this connection. Both ends are the same
 * build, so the structs travel in host byte order.
 */
enum load_mode {
	LOAD_BULK = 1,	/* sink until FIN, send meanwhile when ASK_DOWN; then a verdict and FIN */
	LOAD_ECHO,	/* send everything back */
	LOAD_VERIFY,	/* check `up` bytes, send `down` bytes, after FIN a verdict and FIN */
	LOAD_DUMP,	/* send `down` bytes and close at once */
	LOAD_STALL,	/* never read again */
};

#define ASK_READY	1u	/* answer one byte before anything else */
#define ASK_DOWN	2u	/* bulk: the server end sends too */

struct ask {
	uint32_t magic;
	uint32_t mode;
	uint32_t flags;
	uint32_t spare;
	uint64_t up;		/* bytes that the client will send */
	uint64_t down;		/* bytes that the server end sends */
	uint64_t seed;		/* of the client's stream; the server's is the complement */
};

/* What the server end saw: the last 16 bytes that it sends in bulk and verify. */
struct verdict {
	uint64_t received;
	uint64_t first_bad;	/* position of the first wrong byte, or NO_BAD_BYTE */
};

struct addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

enum direction { DIR_UP = 1, DIR_DOWN = 2, DIR_BOTH = 3 };

struct opts {
	struct addr listen, connect, to;
	bool has_listen, has_connect, has_to;
	char auth[AUTH_MAX];
	size_t auth_len;
	int ready_fd;
	bool json;
	unsigned int connections;	/* streams or connections, also the total of rate/short */
	unsigned int parallel;		/* rate, short: open at once; server: kept waiting */
	enum direction direction;
	double seconds;
	uint64_t bytes;			/* message size, stream length, longest short stream */
	uint64_t seed;
	int deadline_ms;		/* longest time without progress */
};

/* npload_net.c: every function returns 0 or a negative errno unless said otherwise */
int addr_parse(struct addr *a, const char *text, int port);
void addr_format(const struct addr *a, char *host, size_t size, unsigned int *port);
int net_listen(struct addr *a);
int net_accept(int listener);
int net_connect(const struct addr *a);
int net_error(int fd);
void net_reset(int fd);
int net_wait(int fd, short events, int timeout_ms);
int poller_add(int ep, int fd, uint32_t events, void *data);
int poller_mod(int ep, int fd, uint32_t events, void *data);
void raise_fd_limit(void);
uint64_t now_ns(void);
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One outgoing connection and what it must say before its own traffic. */
struct conn {
	int fd;
	uint16_t pre_len, pre_off;
	uint8_t pre[AUTH_MAX + sizeof(struct ask) + 8];
};

int conn_start(struct conn *c, const struct addr *to, const struct opts *o);
void conn_say(struct conn *c, const void *data, size_t len);
int conn_push(struct conn *c);			/* -EAGAIN while something is left */
int conn_open_ready(struct conn *c, const struct opts *o, const struct ask *ask);

/* npload_stream.c: one direction of a stream whose bytes are a function of seed and position */
struct vstream {
	uint64_t seed;
	uint64_t pos;
	uint64_t total;
	uint64_t first_bad;
	uint64_t chunk_state;
};

uint64_t mix64(uint64_t x);
void vstream_init(struct vstream *s, uint64_t seed, uint64_t total);
void vstream_fill(uint64_t seed, uint64_t pos, uint8_t *buf, size_t len);
void vstream_check(struct vstream *s, const uint8_t *buf, size_t len);
size_t vstream_chunk(struct vstream *s);
int vstream_send(struct vstream *s, int fd);

/* npload_hist.c: log-linear histogram of nanoseconds, 0.4 % resolution */
struct hist;
struct hist *hist_new(void);
void hist_free(struct hist *h);
void hist_add(struct hist *h, uint64_t ns);
double hist_quantile_us(const struct hist *h, double q);
uint64_t hist_count(const struct hist *h);

/* npload_report.c: one flat JSON object, or key=value words, on standard output */
struct report {
	bool json;
	bool started;
};

void report_begin(struct report *r, bool json, const char *mode);
void report_u64(struct report *r, const char *key, uint64_t value);
void report_f64(struct report *r, const char *key, double value);
void report_str(struct report *r, const char *key, const char *value);
void report_end(struct report *r);

/* the modes: return the exit code */
int server_main(const struct opts *o);
int bulk_main(const struct opts *o);
int ping_main(const struct opts *o);
int rate_main(const struct opts *o);
int integrity_main(const struct opts *o);
int short_main(const struct opts *o);
int stall_main(const struct opts *o);

#endif
