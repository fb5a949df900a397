/* SPDX-License-Identifier: BSD-3-Clause */
/* How a daemon says that it serves: one JSON line on --ready-fd, and sd_notify(3)'s protocol. */
#ifndef NP_BASE_READY_H
#define NP_BASE_READY_H

/**
 * np_ready_announce() - write @json_line and LF to @ready_fd (-1: none), close it, and send READY=1 to the
 * service manager when NOTIFY_SOCKET is set.
 */
int np_ready_announce(int ready_fd, const char *json_line);
/** np_sd_notify() - send @state (e.g. "STOPPING=1") to NOTIFY_SOCKET; 0 when there is none. */
int np_sd_notify(const char *state);

#endif
