/* SPDX-License-Identifier: BSD-3-Clause */
/* The one error object: a negative errno and the message a human needs. Fixed size, never allocates. */
#ifndef NP_BASE_ERR_H
#define NP_BASE_ERR_H

struct np_err {
	int code;	 /* negative errno, 0 when unset */
	char remote[12]; /* the peer's own code, e.g. "AT0401" */
	char msg[244];	 /* what was tried, on what, and the way out if there is one */
};

#define NP_ERR_INIT { 0, "", "" }

/**
 * np_fail() - fill an error and return its code.
 * @err: may be NULL, then only the code is returned
 * @code: negative errno
 * @fmt: the message, with its subject; no full stop, no errno text unless it helps
 *
 * Return: @code.
 */
int np_fail(struct np_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** np_fail_errno() - like np_fail(), appends ": " and the errno's text. @code may have either sign. */
int np_fail_errno(struct np_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** np_err_prefix() - put "PREFIX: " before the message of @err (may be NULL). Return: its code. */
int np_err_prefix(struct np_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** np_err_text() - the message, or the errno's text when no message was given. */
const char *np_err_text(const struct np_err *err);

#endif
