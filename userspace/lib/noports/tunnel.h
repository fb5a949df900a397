/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pump of one encrypted tunnel: bytes between a local program and the relay, AES-256-CTR
 * applied in place on the way (noports.md 6.2), back-pressure both ways, half-close after the last
 * byte.
 */
#ifndef NP_NOPORTS_TUNNEL_H
#define NP_NOPORTS_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct np_aesctr;
struct np_buf;
struct np_err;
struct np_tunnel;

/**
 * struct np_tunnel_params - what is pumped.
 * @local_in, @local_out: one socket (equal numbers) or two descriptors of any kind (pipe,
 *	terminal, file); taken
 * @relay: connected stream socket; taken
 * @encrypt: for local to relay, @decrypt: for relay to local; taken; NULL leaves that direction
 *	as it is
 * @from_relay: bytes already read from the relay, not yet decrypted; moved out; may be NULL
 * @on_end: once, from the loop; @err code 0 when both directions finished in order. The owner
 *	then calls np_tunnel_close()
 *
 * Descriptors and ciphers are taken also on failure. No flag of a descriptor is changed: other
 * processes may share it. The program must ignore SIGPIPE when @local_out is a pipe.
 */
struct np_tunnel_params {
	struct ev_loop *loop;
	int local_in, local_out;
	int relay;
	struct np_aesctr *encrypt, *decrypt;
	struct np_buf *from_relay;
	void (*on_end)(struct np_tunnel *tunnel, const struct np_err *err, void *arg);
	void *arg;
};
int np_tunnel_open(const struct np_tunnel_params *params, struct np_tunnel **out,
		   struct np_err *err);
/** np_tunnel_close() - close everything; what was not delivered yet is lost. NULL is accepted. */
void np_tunnel_close(struct np_tunnel *tunnel);
/** np_tunnel_abort() - the same, with sockets reset: what was cut off must not look complete. NULL is accepted. */
void np_tunnel_abort(struct np_tunnel *tunnel);
/** np_tunnel_bytes() - how much was read from the local side and from the relay. */
void np_tunnel_bytes(const struct np_tunnel *tunnel, uint64_t *from_local, uint64_t *from_relay);
/** np_tunnel_relay_failed() - after an error: was it the relay's socket that broke? */
bool np_tunnel_relay_failed(const struct np_tunnel *tunnel);

#endif
