/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside kern/: where in bpffs this network namespace's part of express is pinned. */
#ifndef NP_KERN_BPFPIN_H
#define NP_KERN_BPFPIN_H

#include <stddef.h>

struct np_err;

#define NP_BPFFS "/sys/fs/bpf"
#define NP_BPFPIN_DIR_LEN 96
#define NP_BPFPIN_PATH_LEN 128

/** np_bpfpin_dir() - the folder's name into @dst. */
int np_bpfpin_dir(char *dst, size_t size);
/** np_bpfpin_make() - the same, and make it; bpffs is mounted when it is not. */
int np_bpfpin_make(char *dir, size_t size, struct np_err *err);
/** np_bpfpin_collect() - remove what namespaces left that are gone. */
void np_bpfpin_collect(void);

#endif
