/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sockmap program in the kernel, with its maps. They belong to the process and end with it;
 * nothing is pinned.
 */
#ifndef NP_KERN_SOCKMAPOBJ_H
#define NP_KERN_SOCKMAPOBJ_H

#include "npbpf/sockmap.h"

#include <stdint.h>

struct bpf_object;
struct np_err;
struct ring_buffer;

/**
 * struct np_sockmapobj - @slots and @shared are mapped: user space and the program see each other's
 * writes.
 */
struct np_sockmapobj {
	struct npsm_slot *slots;
	struct npsm_shared *shared;
	unsigned int nr_slots;
	int socks, refs; /* owned by @obj */
	struct bpf_object *obj;
	struct ring_buffer *events;
	void (*on_event)(unsigned int slot);
};

/**
 * np_sockmapobj_open() - load the program and attach it to an empty socket map.
 * @o: must not be moved afterwards
 * @nr_slots: even, at most NPSM_MAX_SLOTS
 * @on_event: from np_sockmapobj_read_events(), for a slot with passed bytes and "noticed" set
 * Return: 0; -EPERM without CAP_BPF and CAP_NET_ADMIN; what the kernel said otherwise.
 */
int np_sockmapobj_open(struct np_sockmapobj *o, unsigned int nr_slots,
		       void (*on_event)(unsigned int slot), struct np_err *err);
/** np_sockmapobj_close() - takes every socket out, dropping what is on its way. Idempotent. */
void np_sockmapobj_close(struct np_sockmapobj *o);

/**
 * np_sockmapobj_refer() - the socket with this cookie is (to be) the one in @slot, of the slot's
 * present generation.
 */
int np_sockmapobj_refer(struct np_sockmapobj *o, uint64_t cookie, unsigned int slot);
void np_sockmapobj_unrefer(struct np_sockmapobj *o, uint64_t cookie);
/**
 * np_sockmapobj_insert() - from now on the program judges what arrives at @fd; what waits there
 * already is judged at the next segment or kick. -EOPNOTSUPP: the connection is half closed
 * already, or has an upper layer protocol.
 */
int np_sockmapobj_insert(struct np_sockmapobj *o, unsigned int slot, int fd);
/**
 * np_sockmapobj_remove() - what waits to be sent to the socket, and what it has passed unread, is
 * lost.
 */
void np_sockmapobj_remove(struct np_sockmapobj *o, unsigned int slot);

/** np_sockmapobj_events_fd() - readable when there are events; stays @o's. */
int np_sockmapobj_events_fd(const struct np_sockmapobj *o);
void np_sockmapobj_read_events(struct np_sockmapobj *o);

#endif
