/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel lets this process do. */
#ifndef NP_KERN_CAPS_H
#define NP_KERN_CAPS_H

struct np_err;

/** np_caps_need_express() - CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF (or CAP_SYS_ADMIN)? 0, or -EPERM
 * that names the missing. */
int np_caps_need_express(struct np_err *err);

#endif
