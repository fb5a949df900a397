// SPDX-License-Identifier: BSD-3-Clause
#include "kern/tcattach.h"

#include "base/err.h"
#include "base/fd.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <unistd.h>

/* enum bpf_attach_type of Linux 6.6; the build host's headers may be older than the kernel that it
 * runs on. */
#define TCX_INGRESS 46
#define TCX_BEFORE (1u << 3) /* BPF_F_BEFORE: with nothing to be before of, the first */
/*
 * Ours among the filters of one interface. It is the first, as a tcx program is, because one before
 * it could let segments pass that have no socket any more; what it does not know it hands on.
 */
#define FILTER_HANDLE 0x6b6e70
#define FILTER_PRIORITY 1

static int filter_attach(int prog_fd, unsigned int ifindex, struct np_err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = FILTER_HANDLE,
		    .priority = FILTER_PRIORITY, .flags = BPF_TC_F_REPLACE);
	int ret = bpf_tc_hook_create(&hook);

	if (ret && ret != -EEXIST)
		return np_fail_errno(err, ret, "interface %u: cannot create the clsact qdisc",
				     ifindex);
	ret = bpf_tc_attach(&hook, &opts);
	return ret ? np_fail_errno(err, ret, "interface %u: cannot attach the tc filter", ifindex)
		   : 0;
}

void np_tc_detach_filter(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	(void)bpf_tc_detach(&hook, &opts);
}

/* A link of an earlier process takes the new program; that of a device which is gone (-ENOLINK) is
 * thrown away. */
static int link_renew(int prog_fd, const char *pin)
{
	int fd = bpf_obj_get(pin), ret;

	if (fd < 0)
		return fd;
	ret = bpf_link_update(fd, prog_fd, NULL);
	np_fd_close(&fd);
	if (ret)
		(void)unlink(pin);
	return ret;
}

static int link_attach(int prog_fd, unsigned int ifindex, const char *pin, int *link_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = TCX_BEFORE);
	int fd, ret = 0;

	if (pin && !link_renew(prog_fd, pin))
		return 0;
	fd = bpf_link_create(prog_fd, (int)ifindex, (enum bpf_attach_type)TCX_INGRESS, &opts);
	if (fd < 0)
		return fd;
	if (pin) {
		ret = bpf_obj_pin(fd, pin);
		np_fd_close(&fd);
	} else {
		*link_fd = fd;
	}
	return ret;
}

int np_tc_attach(int prog_fd, unsigned int ifindex, const char *pin, enum np_tc_how how,
		 int *link_fd, struct np_err *err)
{
	int ret = -EOPNOTSUPP;

	if (link_fd)
		*link_fd = -1;
	if (how != NP_TC_CLSACT)
		ret = link_attach(prog_fd, ifindex, pin, link_fd);
	if (!ret)
		return 0;
	if (how == NP_TC_TCX)
		return np_fail_errno(err, ret, "interface %u: cannot attach by a tcx link",
				     ifindex);
	return filter_attach(prog_fd, ifindex, err);
}
