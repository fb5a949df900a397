/* SPDX-License-Identifier: BSD-3-Clause */
/* What the server commands share: the store that is meant by a path. */
#ifndef NPCTL_SERVER_H
#define NPCTL_SERVER_H

#include "realm.h"

/**
 * server_open() - @where is a realm's folder, or the file that atserverd was given as --data. @realm
 * needs realm_close() in every case; with a bare file it has no host and no folder.
 */
int server_open(struct realm *realm, const char *where, bool read_only, struct np_err *err);
/** server_data_path() - the store's file for @where, which need not exist. */
int server_data_path(const char *where, char out[PATH_MAX], struct np_err *err);

#endif
