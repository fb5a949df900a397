// SPDX-License-Identifier: BSD-3-Clause
/*
 * States: HANDSHAKE -> OPEN -> CLOSED (reported to the owner, who frees) ; LINGER is OPEN without an owner.
 *
 * OpenSSL may want to write in order to read and the reverse; instead of tracking which call wanted what, every
 * event first flushes the queue, then reads. Interest in EV_WRITE exists while the queue is non-empty or OpenSSL
 * said WANT_WRITE.
 */
#include "tls/tls.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "net/addr.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ev.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX 16384
#define READS_PER_TURN 16

enum state { HANDSHAKE, OPEN, CLOSED, LINGER };

struct np_tls {
	ev_io io;
	ev_timer linger;
	struct ev_loop *loop;
	SSL *ssl;
	const struct np_tls_ops *ops;
	void *arg;
	struct np_buf out;
	enum state state;
	bool want_write, paused, was_queued;
	bool *gone; /* set while inside a callback: tells the caller that the owner closed us */
};

static SSL_CTX *raw(struct np_tls_ctx *ctx)
{
	return (SSL_CTX *)ctx;
}

static const char *ssl_reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	return text ? text : "unknown reason";
}

static int use_cert(SSL_CTX *ctx, const char *cert, const char *key, struct np_err *err)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return np_fail(err, -EINVAL, "%s: cannot load certificate: %s", cert, ssl_reason());
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return np_fail(err, -EINVAL, "%s: cannot load private key: %s", key, ssl_reason());
	if (SSL_CTX_check_private_key(ctx) != 1)
		return np_fail(err, -EINVAL, "%s: is not the key of certificate %s", key, cert);
	return 0;
}

static int trust(SSL_CTX *ctx, const char *ca, struct np_err *err)
{
	if (!ca)
		return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : -EIO;
	if (SSL_CTX_load_verify_file(ctx, ca) != 1)
		return np_fail(err, -EINVAL, "%s: cannot load CA certificates: %s", ca, ssl_reason());
	return 0;
}

static SSL_CTX *new_ctx(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

int np_tls_client_ctx(const char *root_ca, const char *cert, const char *key, struct np_tls_ctx **out,
		      struct np_err *err)
{
	SSL_CTX *ctx = new_ctx(TLS_client_method());
	int ret;

	if (!ctx)
		return np_fail(err, -ENOMEM, "TLS: out of memory");
	ret = trust(ctx, root_ca, err);
	if (!ret && cert)
		ret = use_cert(ctx, cert, key, err);
	ERR_clear_error();
	if (ret) {
		SSL_CTX_free(ctx);
		return ret;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	*out = (struct np_tls_ctx *)ctx;
	return 0;
}

/* Client certificates are optional and judged later, by np_tls_peer_names_host(). */
static int accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

int np_tls_server_ctx(const char *cert, const char *key, const char *client_ca, struct np_tls_ctx **out,
		      struct np_err *err)
{
	SSL_CTX *ctx = new_ctx(TLS_server_method());
	int ret;

	if (!ctx)
		return np_fail(err, -ENOMEM, "TLS: out of memory");
	ret = use_cert(ctx, cert, key, err);
	if (!ret)
		ret = trust(ctx, client_ca, err);
	ERR_clear_error();
	if (ret) {
		SSL_CTX_free(ctx);
		return ret;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
	*out = (struct np_tls_ctx *)ctx;
	return 0;
}

/* Loaded apart first: a file that is wrong must not leave half a pair behind. */
int np_tls_ctx_reload(struct np_tls_ctx *ctx, const char *cert, const char *key, struct np_err *err)
{
	SSL_CTX *fresh = new_ctx(TLS_server_method());
	STACK_OF(X509) *chain = NULL;
	int ret;

	if (!fresh)
		return np_fail(err, -ENOMEM, "TLS: out of memory");
	ret = use_cert(fresh, cert, key, err);
	if (!ret) {
		SSL_CTX_get0_chain_certs(fresh, &chain);
		if (SSL_CTX_use_cert_and_key(raw(ctx), SSL_CTX_get0_certificate(fresh),
					     SSL_CTX_get0_privatekey(fresh), chain, 1) != 1)
			ret = np_fail(err, -EINVAL, "%s: cannot use certificate: %s", cert, ssl_reason());
	}
	ERR_clear_error();
	SSL_CTX_free(fresh);
	return ret;
}

static void free_alpn(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	free(ptr);
}

/* The protocol in the wire form of RFC 7301, length first; freed with the context. */
static int alpn_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_alpn);
	return index;
}

static int accept_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
		       unsigned int in_len, void *arg)
{
	const unsigned char *ours = arg;
	unsigned char *chosen;

	(void)ssl;
	/* Without overlap the extension is ignored, not refused: other offers are other people's business. */
	if (SSL_select_next_proto(&chosen, out_len, ours, ours[0] + 1u, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

int np_tls_ctx_set_alpn(struct np_tls_ctx *ctx, const char *proto)
{
	size_t len = strlen(proto);
	unsigned char *wire;

	if (!len || len > 255)
		return -EINVAL;
	wire = malloc(len + 1);
	if (!wire)
		return -ENOMEM;
	wire[0] = (unsigned char)len;
	memcpy(wire + 1, proto, len);
	free(SSL_CTX_get_ex_data(raw(ctx), alpn_index()));
	if (SSL_CTX_set_ex_data(raw(ctx), alpn_index(), wire) != 1) {
		free(wire);
		return -ENOMEM;
	}
	SSL_CTX_set_alpn_select_cb(raw(ctx), accept_alpn, wire);
	return SSL_CTX_set_alpn_protos(raw(ctx), wire, (unsigned int)len + 1) ? -ENOMEM : 0;
}

void np_tls_ctx_free(struct np_tls_ctx *ctx)
{
	SSL_CTX_free(raw(ctx));
}

static void update_events(struct np_tls *tls)
{
	int events = 0;

	if (!tls->paused && tls->state != LINGER)
		events |= EV_READ;
	if (tls->want_write || (tls->out.len && tls->state != HANDSHAKE))
		events |= EV_WRITE;
	if (tls->state == HANDSHAKE)
		events |= EV_READ;
	if (events == (tls->io.events & (EV_READ | EV_WRITE)) && ev_is_active(&tls->io))
		return;
	ev_io_stop(tls->loop, &tls->io);
	if (!events)
		return;
	ev_io_modify(&tls->io, events);
	ev_io_start(tls->loop, &tls->io);
}

static void destroy(struct np_tls *tls)
{
	int fd = tls->io.fd;

	if (tls->gone)
		*tls->gone = true;
	ev_io_stop(tls->loop, &tls->io);
	ev_timer_stop(tls->loop, &tls->linger);
	SSL_free(tls->ssl);
	np_fd_close(&fd);
	np_buf_fini(&tls->out);
	free(tls);
}

static void fail(struct np_tls *tls, const struct np_err *err)
{
	if (tls->state == LINGER) {
		destroy(tls);
		return;
	}
	tls->state = CLOSED;
	ev_io_stop(tls->loop, &tls->io);
	tls->ops->closed(tls, err, tls->arg);
}

static const char *verify_hint(long verify)
{
	switch (verify) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return "; it is not from a CA that is trusted here, name a private one's file with --root-ca";
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "; renew it there, or set this machine's clock right";
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return "; it was made for another name than the one connected to";
	default:
		return "";
	}
}

static void handshake_error(struct np_tls *tls, struct np_err *err)
{
	long verify = SSL_get_verify_result(tls->ssl);

	if (!SSL_is_server(tls->ssl) && verify != X509_V_OK)
		np_fail(err, -EACCES, "TLS: server certificate refused: %s%s", X509_verify_cert_error_string(verify),
			verify_hint(verify));
	else if (!ERR_peek_error())
		np_fail(err, -ECONNRESET, "TLS: peer closed during the handshake");
	else
		np_fail(err, -EPROTO, "TLS: handshake failed: %s", ssl_reason());
}

/* Return: 1 go on later, 0 done, negative: failed and reported (tls may be gone). */
static int judge(struct np_tls *tls, int ret)
{
	struct np_err err = NP_ERR_INIT;
	int saved = errno;

	switch (SSL_get_error(tls->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return 1;
	case SSL_ERROR_WANT_WRITE:
		tls->want_write = true;
		return 1;
	case SSL_ERROR_ZERO_RETURN:
		break;
	case SSL_ERROR_SYSCALL:
		if (tls->state == HANDSHAKE)
			handshake_error(tls, &err);
		else if (saved && ret < 0)
			np_fail_errno(&err, saved, "TLS: connection lost");
		break;
	default:
		if (tls->state == HANDSHAKE)
			handshake_error(tls, &err);
		else
			np_fail(&err, -EPROTO, "TLS: %s", ssl_reason());
		break;
	}
	ERR_clear_error();
	fail(tls, &err);
	return -1;
}

static int do_handshake(struct np_tls *tls)
{
	bool gone = false;
	int ret;

	tls->want_write = false;
	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(tls->ssl);
	if (ret != 1)
		return judge(tls, ret);
	tls->state = OPEN;
	if (!tls->ops->ready)
		return 0;
	tls->gone = &gone;
	tls->ops->ready(tls, tls->arg);
	if (gone)
		return -1;
	tls->gone = NULL;
	return 0;
}

static int flush_out(struct np_tls *tls)
{
	while (tls->out.len) {
		size_t part = tls->out.len > RECORD_MAX ? RECORD_MAX : tls->out.len;
		int ret;

		ERR_clear_error();
		errno = 0;
		ret = SSL_write(tls->ssl, tls->out.data, (int)part);
		if (ret <= 0)
			return judge(tls, ret);
		np_buf_consume(&tls->out, (size_t)ret);
	}
	return 0;
}

static int tell_drained(struct np_tls *tls)
{
	bool gone = false;

	if (tls->out.len || !tls->was_queued)
		return 0;
	tls->was_queued = false;
	if (!tls->ops->drained || tls->state != OPEN)
		return 0;
	tls->gone = &gone;
	tls->ops->drained(tls, tls->arg);
	if (gone)
		return -1;
	tls->gone = NULL;
	return 0;
}

static int read_some(struct np_tls *tls)
{
	static uint8_t plain[RECORD_MAX]; /* one loop, one thread: a buffer per connection would cost 16 KiB each */
	bool gone = false;
	int i, ret;

	for (i = 0; i < READS_PER_TURN && !tls->paused && tls->state == OPEN; i++) {
		ERR_clear_error();
		errno = 0;
		ret = SSL_read(tls->ssl, plain, sizeof(plain));
		if (ret <= 0)
			return judge(tls, ret);
		tls->gone = &gone;
		tls->ops->data(tls, plain, (size_t)ret, tls->arg);
		if (gone)
			return -1;
		tls->gone = NULL;
	}
	return 0;
}

static void on_event(struct ev_loop *loop, ev_io *w, int revents)
{
	struct np_tls *tls = (struct np_tls *)w;

	(void)loop;
	(void)revents;
	if (tls->state == HANDSHAKE) {
		int ret = do_handshake(tls);

		if (ret < 0)
			return;
		if (ret) {
			update_events(tls);
			return;
		}
	}
	tls->want_write = false;
	if (flush_out(tls) < 0)
		return;
	if (tls->state == LINGER && !tls->out.len) {
		np_tls_close(tls);
		return;
	}
	if (tell_drained(tls) < 0 || read_some(tls) < 0)
		return;
	if (tls->state == OPEN || tls->state == LINGER)
		update_events(tls);
	/* Decrypted bytes inside OpenSSL give no readiness event. Fed last: stopping a watcher drops its events. */
	if (tls->state == OPEN && !tls->paused && SSL_pending(tls->ssl))
		ev_feed_event(tls->loop, &tls->io, EV_READ);
}

static int open_tls(struct ev_loop *loop, struct np_tls_ctx *ctx, int fd, const struct np_tls_ops *ops, void *arg,
		    struct np_tls **out, struct np_err *err)
{
	struct np_tls *tls = calloc(1, sizeof(*tls));

	if (tls)
		tls->ssl = SSL_new(raw(ctx));
	if (!tls || !tls->ssl || SSL_set_fd(tls->ssl, fd) != 1) {
		if (tls)
			SSL_free(tls->ssl);
		free(tls);
		np_fd_close(&fd);
		return np_fail(err, -ENOMEM, "TLS: out of memory");
	}
	tls->loop = loop;
	tls->ops = ops;
	tls->arg = arg;
	ev_io_init(&tls->io, on_event, fd, EV_READ);
	ev_init(&tls->linger, NULL);
	*out = tls;
	return 0;
}

int np_tls_connect(struct ev_loop *loop, struct np_tls_ctx *ctx, int fd, const char *host,
		   const struct np_tls_ops *ops, void *arg, struct np_tls **out, struct np_err *err)
{
	struct np_addr numeric;
	struct np_tls *tls;
	int ret, ok;

	ret = open_tls(loop, ctx, fd, ops, arg, &tls, err);
	if (ret)
		return ret;
	if (np_addr_parse(host, 0, &numeric) == 0)
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host);
	else
		ok = SSL_set1_host(tls->ssl, host) && SSL_set_tlsext_host_name(tls->ssl, host);
	if (!ok) {
		destroy(tls);
		return np_fail(err, -EINVAL, "TLS: '%s' is no host name", host);
	}
	SSL_set_connect_state(tls->ssl);
	ev_feed_event(loop, &tls->io, EV_READ);
	ev_io_start(loop, &tls->io);
	*out = tls;
	return 0;
}

int np_tls_accept(struct ev_loop *loop, struct np_tls_ctx *ctx, int fd, const struct np_tls_ops *ops, void *arg,
		  struct np_tls **out, struct np_err *err)
{
	int ret;

	ret = open_tls(loop, ctx, fd, ops, arg, out, err);
	if (ret)
		return ret;
	SSL_set_accept_state((*out)->ssl);
	ev_io_start(loop, &(*out)->io);
	return 0;
}

void np_tls_close(struct np_tls *tls)
{
	if (!tls)
		return;
	if (tls->state == OPEN || tls->state == LINGER) {
		ERR_clear_error();
		(void)SSL_shutdown(tls->ssl);
		ERR_clear_error();
	}
	destroy(tls);
}

static void on_linger_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	np_tls_close(w->data);
}

void np_tls_close_flush(struct np_tls *tls, unsigned int timeout_ms)
{
	if (!tls)
		return;
	if (tls->state != OPEN || !tls->out.len) {
		np_tls_close(tls);
		return;
	}
	if (tls->gone)
		*tls->gone = true;
	tls->gone = NULL;
	tls->state = LINGER;
	ev_timer_init(&tls->linger, on_linger_over, timeout_ms / 1000., 0.);
	tls->linger.data = tls;
	ev_timer_start(tls->loop, &tls->linger);
	update_events(tls);
}

int np_tls_write(struct np_tls *tls, const void *data, size_t len)
{
	int ret;

	if (tls->state == CLOSED || tls->state == LINGER)
		return -EPIPE;
	if (tls->state == OPEN && !tls->out.len && len && len <= RECORD_MAX) {
		ERR_clear_error();
		ret = SSL_write(tls->ssl, data, (int)len);
		if (ret > 0) {
			data = (const uint8_t *)data + ret;
			len -= (size_t)ret;
		}
		/* A failure here is seen again, and reported, from the loop. */
		ERR_clear_error();
	}
	if (!len)
		return 0;
	ret = np_buf_append(&tls->out, data, len);
	if (ret)
		return ret;
	tls->was_queued = true;
	update_events(tls);
	return 0;
}

size_t np_tls_queued(const struct np_tls *tls)
{
	return tls->out.len;
}

void np_tls_read_pause(struct np_tls *tls, bool pause)
{
	if (tls->paused == pause || tls->state == CLOSED)
		return;
	tls->paused = pause;
	update_events(tls);
	if (!pause)
		ev_feed_event(tls->loop, &tls->io, EV_READ);
}

bool np_tls_is_ready(const struct np_tls *tls)
{
	return tls->state == OPEN;
}

bool np_tls_has_alpn(const struct np_tls *tls)
{
	const unsigned char *proto;
	unsigned int len;

	SSL_get0_alpn_selected(tls->ssl, &proto, &len);
	return len > 0;
}

int np_tls_fd(const struct np_tls *tls)
{
	return tls->io.fd;
}

static bool text_equals(const ASN1_STRING *text, const char *host)
{
	return strlen(host) == (size_t)ASN1_STRING_length(text) &&
	       !strncasecmp((const char *)ASN1_STRING_get0_data(text), host, strlen(host));
}

/* Published servers look for @host anywhere in the subject: then "notexample.org" is "example.org" as well. */
static bool common_name_equals(X509 *cert, const char *host)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int i = -1;

	while ((i = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)subject, NID_commonName, i)) >= 0)
		if (text_equals(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)), host))
			return true;
	return false;
}

static bool san_equals(X509 *cert, const char *host)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool hit = false;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names) && !hit; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		hit = name->type == GEN_DNS && text_equals(name->d.dNSName, host);
	}
	GENERAL_NAMES_free(names);
	return hit || X509_check_ip_asc(cert, host, 0) == 1;
}

bool np_tls_peer_names_host(const struct np_tls *tls, const char *host)
{
	X509 *cert = SSL_get0_peer_certificate(tls->ssl);

	return cert && *host && SSL_get_verify_result(tls->ssl) == X509_V_OK &&
	       (san_equals(cert, host) || common_name_equals(cert, host));
}
