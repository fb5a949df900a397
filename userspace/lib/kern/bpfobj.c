// SPDX-License-Identifier: BSD-3-Clause
#include "kern/bpfobj.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "kern/bpfblob.h"
#include "kern/bpfpin.h"
#include "kern/caps.h"
#include "kern/tcattach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 1024

struct np_bpfobj {
	struct bpf_object *obj;
	int flows, express, replay; /* owned by @obj */
	int replay_link;
	char dir[NP_BPFPIN_DIR_LEN];
};

int np_bpfobj_probe(struct np_err *err)
{
	struct stat st;
	int ret = np_caps_need_express(err);

	if (ret)
		return ret;
	if (stat(NP_BPFFS, &st))
		return np_fail(err, -EOPNOTSUPP,
			       "there is no " NP_BPFFS
			       ": the kernel has no BPF, or /sys is not mounted");
	return 0;
}

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];
	int n = vsnprintf(line, sizeof(line), fmt, args);

	if (level == LIBBPF_DEBUG || n <= 0)
		return 0;
	line[strcspn(line, "\n")] = '\0';
	np_debug("%s", line);
	return 0;
}

void np_bpfobj_quieten(void)
{
	libbpf_set_print(print_libbpf);
}

/* The table of an earlier process is taken over; its key and value sizes were checked by its name.
 */
static int load(struct np_bpfobj *o, struct np_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "knp_express");
	char path[NP_BPFPIN_PATH_LEN];
	struct bpf_map *map;
	const void *elf;
	size_t len;
	int ret;

	elf = np_bpfblob_express(&len);
	o->obj = bpf_object__open_mem(elf, len, &opts);
	if (!o->obj)
		return np_fail_errno(err, -errno, "express program: cannot be read");
	map = bpf_object__find_map_by_name(o->obj, "flows");
	snprintf(path, sizeof(path), "%s/flows", o->dir);
	ret = map ? bpf_map__set_pin_path(map, path) : -EINVAL;
	if (!ret)
		ret = bpf_object__load(o->obj);
	if (ret)
		return np_fail_errno(err, ret, "express program: the kernel does not take it");
	o->flows = bpf_map__fd(map);
	o->express = bpf_program__fd(bpf_object__find_program_by_name(o->obj, "np_express"));
	o->replay = bpf_program__fd(bpf_object__find_program_by_name(o->obj, "np_replay"));
	return 0;
}

int np_bpfobj_open(struct np_bpfobj **out, struct np_err *err)
{
	struct np_bpfobj *o;
	int lock = -1, ret;

	ret = np_bpfobj_probe(err);
	if (ret)
		return ret;
	o = calloc(1, sizeof(*o));
	if (!o)
		return np_fail(err, -ENOMEM, "express program: no memory");
	o->replay_link = o->flows = -1;
	np_bpfobj_quieten();
	np_bpfpin_collect();
	ret = np_bpfpin_make(o->dir, sizeof(o->dir), err);
	if (ret)
		goto out;
	/* Two processes that start together shall not make two tables. */
	lock = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock >= 0)
		(void)flock(lock, LOCK_EX);
	ret = load(o, err);
out:
	np_fd_close(&lock);
	if (ret) {
		np_bpfobj_close(o);
		return ret;
	}
	*out = o;
	return 0;
}

int np_bpfobj_peek(struct np_bpfobj **out, struct np_err *err)
{
	struct np_bpfobj *o = calloc(1, sizeof(*o));
	char path[NP_BPFPIN_PATH_LEN];
	int ret;

	if (!o)
		return np_fail(err, -ENOMEM, "express: no memory");
	o->replay_link = -1;
	ret = np_bpfpin_dir(o->dir, sizeof(o->dir));
	snprintf(path, sizeof(path), "%s/flows", o->dir);
	o->flows = ret ? ret : bpf_obj_get(path);
	if (o->flows < 0) {
		ret = np_fail_errno(err, o->flows, "no table of express at %s", path);
		free(o);
		return ret;
	}
	*out = o;
	return 0;
}

void np_bpfobj_close(struct np_bpfobj *o)
{
	if (!o)
		return;
	np_fd_close(&o->replay_link);
	if (!o->obj)
		np_fd_close(&o->flows);
	bpf_object__close(o->obj);
	free(o);
}

int np_bpfobj_attach(struct np_bpfobj *o, unsigned int ifindex, struct np_err *err)
{
	char pin[NP_BPFPIN_PATH_LEN];

	snprintf(pin, sizeof(pin), "%s/link-%u", o->dir, ifindex);
	return np_tc_attach(o->express, ifindex, pin, NP_TC_ANY, NULL, err);
}

int np_bpfobj_attach_replay(struct np_bpfobj *o, unsigned int ifindex, struct np_err *err)
{
	np_fd_close(&o->replay_link);
	return np_tc_attach(o->replay, ifindex, NULL, NP_TC_ANY, &o->replay_link, err);
}

bool np_bpfobj_is_pinned(const struct np_bpfobj *o)
{
	char path[NP_BPFPIN_PATH_LEN];

	snprintf(path, sizeof(path), "%s/flows", o->dir);
	return !access(path, F_OK);
}

int np_bpfobj_put(struct np_bpfobj *o, const struct npx_key *key, const struct npx_flow *flow)
{
	return bpf_map_update_elem(o->flows, key, flow, BPF_ANY);
}

int np_bpfobj_get(struct np_bpfobj *o, const struct npx_key *key, struct npx_flow *flow)
{
	return bpf_map_lookup_elem(o->flows, key, flow);
}

void np_bpfobj_del(struct np_bpfobj *o, const struct npx_key *key)
{
	(void)bpf_map_delete_elem(o->flows, key);
}

struct batch {
	struct npx_key keys[BATCH];
	struct npx_flow flows[BATCH];
};

/* A bucket with more entries than fit (-ENOSPC) would need a larger batch; 1024 in one bucket do
 * not happen. */
int np_bpfobj_each(struct np_bpfobj *o, np_flow_fn fn, void *arg)
{
	struct batch *b = malloc(sizeof(*b));
	__u32 in = 0, next = 0, nr, i;
	bool first = true;
	int ret = 0;

	if (!b)
		return -ENOMEM;
	while (!ret) {
		nr = BATCH;
		ret = bpf_map_lookup_batch(o->flows, first ? NULL : &in, &next, b->keys, b->flows,
					   &nr, NULL);
		if (ret && ret != -ENOENT)
			break;
		for (i = 0; i < nr; i++) {
			if (!fn(&b->keys[i], &b->flows[i], arg)) {
				ret = -ENOENT;
				break;
			}
		}
		in = next;
		first = false;
	}
	free(b);
	return ret == -ENOENT ? 0 : ret;
}
