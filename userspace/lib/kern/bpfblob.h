/* SPDX-License-Identifier: BSD-3-Clause */
/* The BPF objects that the build has embedded into the program. */
#ifndef NP_KERN_BPFBLOB_H
#define NP_KERN_BPFBLOB_H

#include <stddef.h>

/* The ELF image of bpf/NAME.bpf.c, and its length. */
const void *np_bpfblob_express(size_t *len);
const void *np_bpfblob_sockmap(size_t *len);

#endif
