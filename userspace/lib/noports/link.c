// SPDX-License-Identifier: BSD-3-Clause
#include "noports/link.h"

#include "at/client.h"
#include "at/directory.h"
#include "at/keyfile.h"
#include "base/str.h"
#include "tls/tls.h"

#include <limits.h>
#include <string.h>

static int load_keys(const struct np_link_params *p, struct np_at_keys **keys, struct np_err *err)
{
	char path[PATH_MAX];
	int ret;

	if (p->key_file)
		return np_at_keys_load(p->key_file, p->from, keys, err);
	ret = np_at_keys_default_path(p->from, path, sizeof(path), err);
	return ret ? ret : np_at_keys_load(path, p->from, keys, err);
}

int np_link_open(struct np_link *link, const struct np_link_params *p,
		 void (*on_state)(bool up, const struct np_err *err, void *arg), void *arg,
		 struct np_err *err)
{
	struct np_at_client_params params;
	int ret;

	memset(link, 0, sizeof(*link));
	link->loop = p->loop;
	ret = load_keys(p, &link->keys, err);
	if (!ret)
		ret = np_tls_client_ctx(p->root_ca, NULL, NULL, &link->tls, err);
	if (!ret)
		ret = np_tls_ctx_set_alpn(link->tls, NP_AT_ALPN_PIPELINE);
	if (!ret)
		ret = np_directory_new(p->loop, link->tls, p->root_domain, &link->dir, err);
	if (ret)
		return ret;
	params = (struct np_at_client_params){
		.loop = p->loop,
		.tls = link->tls,
		.dir = link->dir,
		.keys = link->keys,
		.once = true,
	};
	return np_at_client_new(&params, on_state, arg, &link->client, err);
}

void np_link_close(struct np_link *link)
{
	np_at_client_free(link->client);
	np_directory_free(link->dir);
	np_tls_ctx_free(link->tls);
	np_at_keys_free(link->keys);
	memset(link, 0, sizeof(*link));
}
