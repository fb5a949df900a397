/* SPDX-License-Identifier: BSD-3-Clause */
/* Progress lines: what happens now and since when, for the person at the terminal. */
#ifndef SSHNP_PROGRESS_H
#define SSHNP_PROGRESS_H

#include <stdbool.h>

/** progress_init() - the clock starts; lines appear on stderr only when @show. */
void progress_init(bool show);
/** progress() - one line, "    12 ms : text". */
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
