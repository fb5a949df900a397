/* SPDX-License-Identifier: BSD-3-Clause */
/* Logging: libraries call np_log(), the program installs the sink; the default sink drops. */
#ifndef NP_BASE_LOG_H
#define NP_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct np_err;

enum np_log_level {
	NP_LOG_ERR,   /* a human must act */
	NP_LOG_WARN,  /* degraded */
	NP_LOG_INFO,  /* rare state change */
	NP_LOG_DEBUG, /* per pair */
	NP_LOG_TRACE, /* per I/O */
};

typedef void (*np_log_sink)(enum np_log_level level, const char *line, void *arg);

/** np_log_set_sink() - where lines go; NULL drops them. @arg is kept and handed to @sink. */
void np_log_set_sink(np_log_sink sink, void *arg);
void np_log_set_level(enum np_log_level level);
bool np_log_enabled(enum np_log_level level);

/**
 * np_log_open_stderr() - the sink of every daemon: one line per record on stderr.
 * @json: JSON objects instead of text. Under the journal lines carry the <N> prefix.
 */
void np_log_open_stderr(bool json);

/**
 * np_log() - write one line: subject, event, then key=value; lower case, no full stop.
 * Control characters in the result are escaped as \xNN, so outside text cannot forge lines.
 */
void np_log(enum np_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define np_error(...) np_log(NP_LOG_ERR, __VA_ARGS__)
#define np_warn(...) np_log(NP_LOG_WARN, __VA_ARGS__)
#define np_info(...) np_log(NP_LOG_INFO, __VA_ARGS__)
#define np_debug(...) np_log(NP_LOG_DEBUG, __VA_ARGS__)
#define np_trace(...) np_log(NP_LOG_TRACE, __VA_ARGS__)

/** np_warn_err() - as np_warn(), with ": " and the message of @err appended. */
void np_warn_err(const struct np_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * struct np_log_limit - lets @burst lines pass in each @window_ms, then counts. Zero-initialise.
 */
struct np_log_limit {
	long long since_ms;
	unsigned int passed, dropped;
};

/** np_log_may() - may one more line of this kind be written now? Outside input logs only through this. */
bool np_log_may(struct np_log_limit *limit, unsigned int burst, unsigned int window_ms);

#endif
