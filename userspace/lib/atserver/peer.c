// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/peer.h"

#include "at/directory.h"
#include "atserver/internal.h"
#include "base/err.h"
#include "base/str.h"
#include "net/addr.h"
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct np_peer {
	ev_timer now;
	struct np_atserver *srv;
	np_peer_cb cb;
	void *arg;
	bool asked; /* the directory has it */
	char atsign[NP_ATSIGN_MAX];
	char host[NP_HOST_MAX];
	uint16_t port;
};

static bool copy_entry(const struct np_dir_entry *entry, void *arg)
{
	struct np_peer *peer = arg;

	if (np_str_copy(peer->host, sizeof(peer->host), entry->host) == 0)
		peer->port = entry->port;
	return false;
}

static void answer(struct np_peer *peer, const char *host, uint16_t port, const struct np_err *err)
{
	np_peer_cb cb = peer->cb;
	void *arg = peer->arg;
	struct np_err copy = *err;
	char name[NP_HOST_MAX];

	if (host)
		np_str_copy(name, sizeof(name), host);
	peer->asked = false;
	np_peer_cancel(peer);
	cb(host ? name : NULL, port, &copy, arg);
}

static void not_found(struct np_peer *peer)
{
	struct np_err err = NP_ERR_INIT;

	np_fail(&err, -ENOENT, "%s has no atServer in the directory", peer->atsign);
	np_str_copy(err.remote, sizeof(err.remote), "AT0007");
	answer(peer, NULL, 0, &err);
}

static void on_directory(const char *host, uint16_t port, const struct np_err *err, void *arg)
{
	struct np_peer *peer = arg;
	struct np_err copy = NP_ERR_INIT;

	if (host) {
		answer(peer, host, port, &copy);
		return;
	}
	if (err->code == -ENOENT) {
		not_found(peer);
		return;
	}
	copy = *err;
	np_str_copy(copy.remote, sizeof(copy.remote), "AT0021");
	answer(peer, NULL, 0, &copy);
}

static void on_now(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_peer *peer = (struct np_peer *)w;
	struct np_err none = NP_ERR_INIT;

	(void)loop;
	(void)revents;
	if (peer->port)
		answer(peer, peer->host, peer->port, &none);
	else
		not_found(peer);
}

int np_peer_find(struct np_atserver *srv, const char *atsign, np_peer_cb cb, void *arg,
		 struct np_peer **out)
{
	struct np_peer *peer = calloc(1, sizeof(*peer));
	int ret = 0;

	if (!peer)
		return -ENOMEM;
	peer->srv = srv;
	peer->cb = cb;
	peer->arg = arg;
	np_str_copy(peer->atsign, sizeof(peer->atsign), atsign);
	ev_timer_init(&peer->now, on_now, 0, 0);
	if (srv->conf.directory_in_store)
		srv->store->ops->dir_get(srv->store, atsign, copy_entry, peer);
	if (!peer->port && srv->conf.directory) {
		ret = np_directory_lookup(srv->conf.directory, atsign, on_directory, peer);
		peer->asked = !ret;
	} else {
		ev_timer_start(srv->loop, &peer->now);
	}
	if (ret) {
		free(peer);
		return ret;
	}
	*out = peer;
	return 0;
}

void np_peer_cancel(struct np_peer *peer)
{
	if (!peer)
		return;
	if (peer->asked)
		np_directory_cancel(peer->srv->conf.directory, peer);
	ev_timer_stop(peer->srv->loop, &peer->now);
	free(peer);
}

void np_peer_forget(struct np_atserver *srv, const char *atsign)
{
	if (srv->conf.directory)
		np_directory_forget(srv->conf.directory, atsign);
}
