/* SPDX-License-Identifier: BSD-3-Clause */
/* The parameters of an emulated link, as flags and as lines on standard input set them. */
#ifndef NP_LINKEM_CONF_H
#define NP_LINKEM_CONF_H

#include <getopt.h>
#include <stddef.h>

enum linkem_side { LINKEM_LEFT, LINKEM_RIGHT, LINKEM_SIDES };

/* What happens to the frames that one side sends. */
struct linkem_shape {
	double delay_ms;
	double jitter_ms;
	double loss;      /* loss, dup and reorder are per cent of frames, 0 to 100 */
	double dup;
	double reorder;
	double rate;      /* Mbit/s of whole Ethernet frames, 0: as fast as it goes */
	double limit;     /* frames that may wait for the rate */
	double mtu;       /* largest payload of a frame that passes */
};

struct linkem_conf {
	struct linkem_shape shape[LINKEM_SIDES]; /* indexed by the sending side */
};

/* Longest message that linkem_conf_set writes, with its final NUL. */
#define LINKEM_MSG_MAX 160

/* One long option per parameter and prefix, and the list's end. */
#define LINKEM_CONF_OPTIONS (8 * 3)

void linkem_conf_init(struct linkem_conf *conf);

/**
 * linkem_conf_set() - give one parameter a new value
 * @name: "loss", or "left-loss" / "right-loss" for the frames that this side alone sends
 * @value: a plain decimal number
 * @msg: LINKEM_MSG_MAX bytes; says what is wrong with the value, and the accepted form
 *
 * Return: 0; -ENOENT when there is no such parameter; -EINVAL when the value is refused. @conf is
 * unchanged unless 0 is returned.
 */
int linkem_conf_set(struct linkem_conf *conf, const char *name, const char *value, char *msg);

/**
 * linkem_conf_check() - test what depends on more than one parameter
 *
 * Return: 0, or -EINVAL with @msg filled.
 */
int linkem_conf_check(const struct linkem_conf *conf, char *msg);

/**
 * linkem_conf_line() - obey one line "PARAMETER VALUE" as linkem_conf_set() and linkem_conf_check()
 * @line: is cut into words in place
 *
 * Return: 0, or a negative errno with @msg filled and @conf unchanged.
 */
int linkem_conf_line(struct linkem_conf *conf, char *line, char *msg);

/**
 * linkem_conf_options() - list all parameters for getopt_long
 * @opts: room for LINKEM_CONF_OPTIONS entries
 * @val: the value that getopt_long returns for each of them
 *
 * Return: the number of entries filled.
 */
size_t linkem_conf_options(struct option *opts, int val);

/* Read a plain decimal number without sign, exponent or rest. Return 0 or -EINVAL. */
int linkem_parse_number(const char *text, double *out);

#endif
