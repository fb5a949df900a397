/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The express program in the kernel. Its table and its links are pinned below /sys/fs/bpf/knp, in a
 * folder for each layout version and network namespace, so that they outlive the process; every
 * process of the namespace shares them.
 */
#ifndef NP_KERN_BPFOBJ_H
#define NP_KERN_BPFOBJ_H

#include "npbpf/express.h"

#include <stdbool.h>

struct np_bpfobj;
struct np_err;

/** np_bpfobj_probe() - may this process use BPF at all, is there a bpffs? Cheap, changes nothing. 0
 * or the reason. */
int np_bpfobj_probe(struct np_err *err);
/**
 * np_bpfobj_open() - load the programs, find or make the table. Takes tens of milliseconds; may run
 * in a thread. bpffs is mounted on /sys/fs/bpf when it is not.
 */
int np_bpfobj_open(struct np_bpfobj **out, struct np_err *err);
/** np_bpfobj_peek() - only the table, to look at it; -ENOENT when nobody has made one. Nothing can
 * be attached. */
int np_bpfobj_peek(struct np_bpfobj **out, struct np_err *err);
/** np_bpfobj_quieten() - libbpf's messages go to the debug log. */
void np_bpfobj_quieten(void);
/** np_bpfobj_close() - forget it; what is pinned goes on working. NULL is accepted. */
void np_bpfobj_close(struct np_bpfobj *obj);

/** np_bpfobj_attach() - the express program at the ingress of @ifindex, to stay. */
int np_bpfobj_attach(struct np_bpfobj *obj, unsigned int ifindex, struct np_err *err);
/** np_bpfobj_attach_replay() - the replay program on the TAP device @ifindex, as long as @obj
 * lives. */
int np_bpfobj_attach_replay(struct np_bpfobj *obj, unsigned int ifindex, struct np_err *err);
/** np_bpfobj_is_pinned() - false after somebody has flushed. */
bool np_bpfobj_is_pinned(const struct np_bpfobj *obj);

int np_bpfobj_put(struct np_bpfobj *obj, const struct npx_key *key, const struct npx_flow *flow);
/** np_bpfobj_get() - 0 or -ENOENT. */
int np_bpfobj_get(struct np_bpfobj *obj, const struct npx_key *key, struct npx_flow *flow);
void np_bpfobj_del(struct np_bpfobj *obj, const struct npx_key *key);

/** typedef np_flow_fn - one entry of the table; false stops. The table may change meanwhile. */
typedef bool (*np_flow_fn)(const struct npx_key *key, const struct npx_flow *flow, void *arg);
int np_bpfobj_each(struct np_bpfobj *obj, np_flow_fn fn, void *arg);

/**
 * np_bpfobj_flush() - detach from every interface and drop the table of this namespace: spliced
 * connections end, since the stack answers their next segments with RST. Return: 0, -ENOENT when
 * nothing was there.
 */
int np_bpfobj_flush(struct np_err *err);

#endif
