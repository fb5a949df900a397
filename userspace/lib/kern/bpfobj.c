// SPDX-License-Identifier: BSD-3-Clause
#include "kern/bpfobj.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "kern/bpfblob.h"
#include "kern/caps.h"
#include "kern/tcattach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define BPFFS "/sys/fs/bpf"
#define TOP BPFFS "/knp"
#define PATH_LEN 128
#define BATCH 1024

struct np_bpfobj {
	struct bpf_object *obj;
	int flows, express, replay; /* owned by @obj */
	int replay_link;
	char dir[PATH_LEN - 32];
};

/* A namespace has a number that is never used again; without one (before 5.14) its inode has to do. */
static int namespace_dir(char *dst, size_t size)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned long long cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat st;

	if (fd >= 0 && !getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		snprintf(dst, size, TOP "/v%d-net%llu", NPX_LAYOUT, cookie);
	else if (!stat("/proc/self/ns/net", &st))
		snprintf(dst, size, TOP "/v%d-ino%llu", NPX_LAYOUT, (unsigned long long)st.st_ino);
	else
		*dst = '\0';
	np_fd_close(&fd);
	return *dst ? 0 : -ENOENT;
}

static bool has_bpffs(void)
{
	struct statfs fs;

	return !statfs(BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC;
}

int np_bpfobj_probe(struct np_err *err)
{
	struct stat st;
	int ret = np_caps_need_express(err);

	if (ret)
		return ret;
	if (stat(BPFFS, &st))
		return np_fail(err, -EOPNOTSUPP, "there is no " BPFFS ": the kernel has no BPF, or /sys is not mounted");
	return 0;
}

static int make_dirs(struct np_bpfobj *o, struct np_err *err)
{
	int ret;

	if (!has_bpffs() && mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700"))
		return np_fail_errno(err, -errno, "cannot mount bpffs on " BPFFS);
	ret = namespace_dir(o->dir, sizeof(o->dir));
	if (ret)
		return np_fail(err, ret, "cannot tell which network namespace this is");
	if ((mkdir(TOP, 0700) && errno != EEXIST) || (mkdir(o->dir, 0700) && errno != EEXIST))
		return np_fail_errno(err, -errno, "cannot create %s", o->dir);
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

/* The table of an earlier process is taken over; its key and value sizes were checked by its name. */
static int load(struct np_bpfobj *o, struct np_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "knp_express");
	char path[PATH_LEN];
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
	o->replay_link = -1;
	libbpf_set_print(print_libbpf);
	ret = make_dirs(o, err);
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

void np_bpfobj_close(struct np_bpfobj *o)
{
	if (!o)
		return;
	np_fd_close(&o->replay_link);
	bpf_object__close(o->obj);
	free(o);
}

int np_bpfobj_attach(struct np_bpfobj *o, unsigned int ifindex, struct np_err *err)
{
	char pin[PATH_LEN];

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
	char path[PATH_LEN];

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

/* A bucket with more entries than fit (-ENOSPC) would need a larger batch; 1024 in one bucket do not happen. */
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
		ret = bpf_map_lookup_batch(o->flows, first ? NULL : &in, &next, b->keys, b->flows, &nr, NULL);
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

/* Processes that have the table open shall find it empty, and end their pairs. */
static void empty_table(const char *dir)
{
	char path[PATH_LEN];
	struct npx_key key;
	int fd;

	snprintf(path, sizeof(path), "%s/flows", dir);
	fd = bpf_obj_get(path);
	while (fd >= 0 && !bpf_map_get_next_key(fd, NULL, &key))
		(void)bpf_map_delete_elem(fd, &key);
	np_fd_close(&fd);
}

int np_bpfobj_flush(struct np_err *err)
{
	struct if_nameindex *all = if_nameindex(), *i;
	char dir[PATH_LEN - 32], path[PATH_LEN * 4];
	struct dirent *e;
	DIR *d;

	libbpf_set_print(print_libbpf);
	for (i = all; i && i->if_index; i++)
		np_tc_detach_filter(i->if_index);
	if_freenameindex(all);
	if (namespace_dir(dir, sizeof(dir)))
		return np_fail(err, -ENOENT, "cannot tell which network namespace this is");
	d = opendir(dir);
	if (!d)
		return np_fail(err, -ENOENT, "nothing is pinned for this network namespace");
	empty_table(dir);
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			(void)unlink(path);
	}
	closedir(d);
	return rmdir(dir) ? np_fail_errno(err, -errno, "cannot remove %s", dir) : 0;
}
