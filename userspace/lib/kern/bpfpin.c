// SPDX-License-Identifier: BSD-3-Clause
#include "kern/bpfpin.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "kern/bpfobj.h"
#include "kern/tcattach.h"

#include <bpf/bpf.h>

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define TOP NP_BPFFS "/knp"

/* A namespace has a number that is never used again; without one (before 5.14) its inode has to do.
 */
int np_bpfpin_dir(char *dst, size_t size)
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

	return !statfs(NP_BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC;
}

int np_bpfpin_make(char *dir, size_t size, struct np_err *err)
{
	int ret;

	if (!has_bpffs() &&
	    mount("bpf", NP_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700"))
		return np_fail_errno(err, -errno, "cannot mount bpffs on " NP_BPFFS);
	ret = np_bpfpin_dir(dir, size);
	if (ret)
		return np_fail(err, ret, "cannot tell which network namespace this is");
	if ((mkdir(TOP, 0700) && errno != EEXIST) || (mkdir(dir, 0700) && errno != EEXIST))
		return np_fail_errno(err, -errno, "cannot create %s", dir);
	return 0;
}

/* One link is enough to tell: those of a namespace that is gone have lost their devices. */
static bool is_dead(const char *dir)
{
	char path[NP_BPFPIN_PATH_LEN * 4];
	bool any = false, dead = true;
	struct bpf_link_info info;
	struct dirent *e;
	DIR *d = opendir(dir);
	__u32 len;
	int fd;

	while (d && dead && (e = readdir(d))) {
		if (strncmp(e->d_name, "link-", 5))
			continue;
		snprintf(path, sizeof(path), "%.240s/%.255s", dir, e->d_name);
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		fd = bpf_obj_get(path);
		/* The interface's index is where a tcx link has it, too; headers before 6.6 do not
		 * say so. */
		dead = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !info.xdp.ifindex;
		any = true;
		np_fd_close(&fd);
	}
	if (d)
		closedir(d);
	return any && dead;
}

static void remove_dir(const char *dir)
{
	char path[NP_BPFPIN_PATH_LEN * 4];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%.240s/%.255s", dir, e->d_name);
		if (e->d_name[0] != '.')
			(void)unlink(path);
	}
	if (d)
		closedir(d);
	(void)rmdir(dir);
}

void np_bpfpin_collect(void)
{
	char path[NP_BPFPIN_PATH_LEN * 4];
	struct dirent *e;
	DIR *d = opendir(TOP);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), TOP "/%.200s", e->d_name);
		if (e->d_name[0] != '.' && is_dead(path))
			remove_dir(path);
	}
	if (d)
		closedir(d);
}

/* Processes that have the table open shall find it empty, and end their pairs. */
static void empty_table(const char *dir)
{
	char path[NP_BPFPIN_PATH_LEN];
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
	char dir[NP_BPFPIN_DIR_LEN];

	np_bpfobj_quieten();
	for (i = all; i && i->if_index; i++)
		np_tc_detach_filter(i->if_index);
	if_freenameindex(all);
	if (np_bpfpin_dir(dir, sizeof(dir)))
		return np_fail(err, -ENOENT, "cannot tell which network namespace this is");
	if (access(dir, F_OK))
		return np_fail_errno(err, -errno, "nothing to flush: %s", dir);
	empty_table(dir);
	remove_dir(dir);
	return access(dir, F_OK) ? 0 : np_fail(err, -EBUSY, "cannot remove %s", dir);
}
