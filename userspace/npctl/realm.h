/* SPDX-License-Identifier: BSD-3-Clause */
/* What the realm commands share: an opened realm, and making one atSign in it. */
#ifndef NPCTL_REALM_H
#define NPCTL_REALM_H

#include "at/atsign.h"
#include "net/addr.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct np_err;
struct np_store;

struct realm {
	const char *dir; /* borrowed */
	char host[NP_HOST_MAX];
	uint16_t port, directory_port; /* 0: whatever the server gets */
	bool directory;		       /* atserverd serves it */
	char secrets[PATH_MAX], data[PATH_MAX];
	struct np_store *store;
};

bool realm_exists(const char *dir);
/** realm_conf() - read DIR's config file alone. */
int realm_conf(struct realm *realm, const char *dir, struct np_err *err);
/**
 * realm_open() - read DIR's config file and open its store. @realm needs realm_close() in every
 * case.
 */
int realm_open(struct realm *realm, const char *dir, bool read_only, struct np_err *err);
void realm_close(struct realm *realm);
/** realm_give_to_owner() - as root: @path gets the owner of @dir, who runs the server. */
int realm_give_to_owner(const char *dir, const char *path, struct np_err *err);
/** realm_hosts() - Return: 1 when the realm hosts @atsign, 0 when it does not, negative errno. */
int realm_hosts(const struct realm *realm, const char *atsign, struct np_err *err);
/**
 * realm_add_tenant() - secret file and directory entry of @atsign (normal form). A secret file that
 * is there stays. Return: 1 when it was made, 0 when the realm hosts the atSign already.
 */
int realm_add_tenant(struct realm *realm, const char *atsign, struct np_err *err);
/** realm_print_activation() - the command that activates @atsign. */
void realm_print_activation(const struct realm *realm, const char *atsign);

#endif
