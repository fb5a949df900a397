// SPDX-License-Identifier: BSD-3-Clause
/* sshpublickey: a manager's key is added to authorized_keys (noports.md 9.7). */
#include "daemon.h"

#include "base/err.h"
#include "crypto/sshkey.h"

#include <string.h>

#define KEY_MAX 8192

void pubkey_handle(struct daemon *d, const struct np_at_notification *note)
{
	struct np_err err = NP_ERR_INIT;
	char key[KEY_MAX + 1];
	size_t len = note->value_len;

	if (!d->conf->accept_public_keys) {
		np_info("ssh public key: not added from=%s reason=started-without-sshpublickey",
			note->from);
		return;
	}
	while (len && strchr(" \t\r\n", note->value[len - 1]))
		len--;
	if (!len || len > KEY_MAX || !np_sshkey_public_ok(note->value, len, &err)) {
		np_warn_err(&err, "ssh public key: refused from=%s", note->from);
		return;
	}
	memcpy(key, note->value, len);
	key[len] = '\0';
	if (np_authkeys_add(&d->authkeys, d->conf->sshpublickey_permissions, key, NULL, &err))
		np_warn_err(&err, "ssh public key: not added from=%s", note->from);
	else
		np_info("ssh public key: accepted from=%s", note->from);
}
