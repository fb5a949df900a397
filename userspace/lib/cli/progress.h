/* SPDX-License-Identifier: BSD-3-Clause */
/* Progress lines: what happens now and since when, for the person at the terminal. */
#ifndef NP_CLI_PROGRESS_H
#define NP_CLI_PROGRESS_H

#include <stdbool.h>

/** np_progress_init() - the clock starts; lines appear on stderr only when @show. */
void np_progress_init(bool show);
/** np_progress() - one line, "    12 ms : text". */
void np_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
