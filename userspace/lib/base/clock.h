/* SPDX-License-Identifier: BSD-3-Clause */
/* Time: monotonic for every deadline, wall clock only for what leaves the machine. */
#ifndef NP_BASE_CLOCK_H
#define NP_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

long long np_clock_mono_ms(void);
uint64_t np_clock_mono_ns(void);
/** np_clock_wall_ms() - milliseconds since 1970 UTC; may jump. */
long long np_clock_wall_ms(void);

/** np_clock_iso_utc() - "2024-10-24T01:35:02.123Z" into @dst (>= 25 bytes). */
void np_clock_iso_utc(long long wall_ms, char *dst, size_t size);

/** np_clock_at_utc() - the atProtocol's form, "2024-10-24 01:35:02.123Z" (atprotocol.md 7.3). */
void np_clock_at_utc(long long wall_ms, char *dst, size_t size);

/** np_clock_local_stamp() - local time with microseconds and no zone, the form of session nonces. */
void np_clock_local_stamp(char *dst, size_t size);

#endif
