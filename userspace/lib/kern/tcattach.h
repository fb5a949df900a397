/* SPDX-License-Identifier: BSD-3-Clause */
/* A program at the ingress of an interface, beside whatever others have put there. */
#ifndef NP_KERN_TCATTACH_H
#define NP_KERN_TCATTACH_H

struct np_err;

enum np_tc_how {
	NP_TC_ANY, /* a tcx link where the kernel has them (6.6), else a clsact filter */
	NP_TC_TCX, /* -EOPNOTSUPP where it has none */
	NP_TC_CLSACT,
};

/**
 * np_tc_attach() - attach, or put @prog_fd in the place of what was attached by an earlier call
 * with the same @pin.
 * @pin: file in bpffs that keeps a tcx link alive; a clsact filter lives without. NULL: *@link_fd
 * does instead
 * @link_fd: receives the link's descriptor, or -1 when it is a filter or pinned; may be NULL with
 * @pin
 */
int np_tc_attach(int prog_fd, unsigned int ifindex, const char *pin, enum np_tc_how how,
		 int *link_fd, struct np_err *err);
/** np_tc_detach_filter() - remove our clsact filter; the qdisc stays, it may be others' too. */
void np_tc_detach_filter(unsigned int ifindex);

#endif
