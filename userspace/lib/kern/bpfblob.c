// SPDX-License-Identifier: BSD-3-Clause
#include "kern/bpfblob.h"

/*
 * NP_BPF_DIR/NAME.bpf.o as read-only data. The symbols are hidden, so that position-independent code
 * too reaches them without the run-time linker.
 */
/* clang-format off */
#define BLOB(name)                                                                                 \
	__asm__(".pushsection .rodata, \"a\", @progbits\n"                                          \
		".balign 8\n"                                                                      \
		"np_bpfblob_" #name "_start:\n"                                                    \
		".incbin \"" NP_BPF_DIR "/" #name ".bpf.o\"\n"                                     \
		"np_bpfblob_" #name "_end:\n"                                                      \
		".popsection\n");                                                                  \
	extern const unsigned char np_bpfblob_##name##_start[] __attribute__((visibility("hidden"))); \
	extern const unsigned char np_bpfblob_##name##_end[] __attribute__((visibility("hidden")));  \
	const void *np_bpfblob_##name(size_t *len)                                                 \
	{                                                                                          \
		*len = (size_t)(np_bpfblob_##name##_end - np_bpfblob_##name##_start);              \
		return np_bpfblob_##name##_start;                                                  \
	}
/* clang-format on */

BLOB(express)
BLOB(sockmap)
