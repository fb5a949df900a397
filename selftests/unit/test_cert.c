// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/cert.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "harness/ktap.h"
#include "tls/tls.h"

#include <ev.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct np_cert *ca;

static const char *in_dir(const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

static X509 *x509_of(const struct np_cert *cert)
{
	struct np_buf pem = NP_BUF_INIT;
	BIO *bio;
	X509 *x509;

	KTAP_EQ(np_cert_pem(cert, &pem), 0);
	bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	np_buf_fini(&pem);
	KTAP_OK(x509);
	return x509;
}

static struct np_cert *issue(const struct np_cert *by, const char *host1, const char *host2,
			     int64_t from_s, int64_t to_s)
{
	const char *const hosts[] = {host1, host2};
	const struct np_cert_params params = {
		.hosts = hosts, .nr_hosts = host2 ? 2 : 1, .from_s = from_s, .to_s = to_s};
	struct np_err err = NP_ERR_INIT;
	struct np_cert *cert = NULL;

	KTAP_EQ(np_cert_make_server(by, &params, &cert, &err), 0);
	return cert;
}

/* OpenSSL's strictest reading of RFC 5280, for both uses of the certificate. */
static int strict_verify(const struct np_cert *cert, int purpose)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *root = x509_of(ca), *leaf = x509_of(cert);
	int result;

	X509_STORE_add_cert(store, root);
	X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT);
	X509_STORE_CTX_init(ctx, store, leaf, NULL);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	X509_verify_cert(ctx);
	result = X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(root);
	X509_free(leaf);
	return result;
}

static void server_certificate_is_strictly_valid(void)
{
	struct np_cert *cert = issue(ca, "realm.example", "192.0.2.7", 0, 0);
	X509 *x509 = x509_of(cert);
	int days = 0, secs = 0;

	KTAP_EQ(strict_verify(cert, X509_PURPOSE_SSL_SERVER), X509_V_OK);
	KTAP_EQ(strict_verify(cert, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
	KTAP_EQ(X509_check_host(x509, "realm.example", 0, 0, NULL), 1);
	KTAP_EQ(X509_check_host(x509, "other.example", 0, 0, NULL), 0);
	KTAP_EQ(X509_check_ip_asc(x509, "192.0.2.7", 0), 1);
	KTAP_EQ(ASN1_TIME_diff(&days, &secs, X509_get0_notBefore(x509), X509_get0_notAfter(x509)),
		1);
	KTAP_EQ(days, NP_CERT_SERVER_DAYS);
	KTAP_EQ(X509_cmp_current_time(X509_get0_notBefore(x509)), -1);
	X509_free(x509);
	x509 = x509_of(ca);
	KTAP_EQ(X509_check_ca(x509), 1);
	KTAP_EQ(ASN1_TIME_diff(&days, &secs, X509_get0_notBefore(x509), X509_get0_notAfter(x509)),
		1);
	KTAP_EQ(days, NP_CERT_CA_DAYS);
	X509_free(x509);
	np_cert_free(cert);
}

static void expired_and_early_ones_can_be_made(void)
{
	struct np_cert *old = issue(ca, "h", NULL, -10 * NP_CERT_DAY_S, -60);
	struct np_cert *early = issue(ca, "h", NULL, 3600, 7200);

	KTAP_EQ(strict_verify(old, X509_PURPOSE_SSL_SERVER), X509_V_ERR_CERT_HAS_EXPIRED);
	KTAP_EQ(strict_verify(early, X509_PURPOSE_SSL_SERVER), X509_V_ERR_CERT_NOT_YET_VALID);
	np_cert_free(old);
	np_cert_free(early);
}

static void bad_hosts_are_refused(void)
{
	static const char *const bad[] = {"",	 "a,DNS:b", "a b", ".x", "-x",
					  "a:1", "h\n",	    "*",   "1:2"};
	struct np_err err = NP_ERR_INIT;
	struct np_cert *cert = NULL;
	char longest[300];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct np_cert_params params = {.hosts = &bad[i], .nr_hosts = 1};

		KTAP_EQ(np_cert_make_server(ca, &params, &cert, &err), -EINVAL);
		KTAP_OK(!cert);
	}
	KTAP_EQ(np_cert_make_server(ca, &(struct np_cert_params){0}, &cert, &err), -EINVAL);
	/* A name longer than a common name may be is a subject alternative name all the same. */
	memset(longest, 'a', 100);
	strcpy(longest + 60, ".example");
	memset(longest + 68, 'b', 32);
	longest[100] = '\0';
	cert = issue(ca, longest, "::1", 0, 0);
	KTAP_EQ(strict_verify(cert, X509_PURPOSE_SSL_SERVER), X509_V_OK);
	np_cert_free(cert);
}

static bool collect(const char *host, void *arg)
{
	char *text = arg;

	strcat(strcat(text, host), " ");
	return true;
}

static void renewal_keeps_key_and_hosts(void)
{
	struct np_cert *cert = issue(ca, "h.example", "192.0.2.7", -20, -10), *next = NULL;
	const char *const hosts[] = {"h.example", "::1"};
	const struct np_cert_params params = {.hosts = hosts, .nr_hosts = 2, .key_of = cert};
	X509 *a, *b;
	char text[256] = "";

	np_cert_each_host(cert, collect, text);
	KTAP_STREQ(text, "h.example 192.0.2.7 ");
	KTAP_EQ(np_cert_make_server(ca, &params, &next, NULL), 0);
	text[0] = '\0';
	np_cert_each_host(next, collect, text);
	KTAP_STREQ(text, "h.example ::1 ");
	KTAP_EQ(strict_verify(next, X509_PURPOSE_SSL_SERVER), X509_V_OK);
	a = x509_of(cert);
	b = x509_of(next);
	KTAP_EQ(EVP_PKEY_eq(X509_get0_pubkey(a), X509_get0_pubkey(b)), 1);
	KTAP_OK(ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b)));
	X509_free(a);
	X509_free(b);
	np_cert_free(next);
	np_cert_free(cert);
}

static void files_are_saved_once_and_load_back(void)
{
	struct np_cert *cert = issue(ca, "h.example", NULL, 0, 0), *back = NULL;
	struct np_secret a = NP_SECRET_INIT, b = NP_SECRET_INIT;
	struct np_err err = NP_ERR_INIT;
	struct stat st;
	int fd;

	KTAP_EQ(np_cert_save(cert, in_dir("c.pem"), in_dir("c.key"), &err), 0);
	KTAP_EQ(stat(in_dir("c.key"), &st), 0);
	KTAP_EQ(st.st_mode & 0777, 0600);
	KTAP_EQ(np_cert_save(ca, in_dir("c.pem"), in_dir("c.key"), &err), -EEXIST);
	KTAP_EQ(np_cert_load(in_dir("c.pem"), in_dir("c.key"), &back, &err), 0);
	KTAP_EQ(np_cert_key_pem(cert, &a), 0);
	KTAP_EQ(np_cert_key_pem(back, &b), 0);
	KTAP_OK(np_secret_equal(a.data, a.len, b.data, b.len));
	np_cert_free(back);
	KTAP_EQ(np_cert_save(ca, in_dir("ca.pem"), in_dir("ca.key"), &err), 0);
	KTAP_EQ(np_cert_load(in_dir("c.pem"), in_dir("ca.key"), &back, &err), -EBADMSG);
	KTAP_OK(!back && strstr(err.msg, "is not the key"));
	KTAP_EQ(np_cert_load(in_dir("c.pem"), in_dir("c.pem"), &back, &err), -EPERM);
	KTAP_EQ(np_cert_load(in_dir("c.key"), in_dir("c.key"), &back, &err), -EBADMSG);
	KTAP_EQ(np_cert_load(in_dir("none"), in_dir("c.key"), &back, &err), -ENOENT);
	fd = open(in_dir("short.key"), O_WRONLY | O_CREAT, 0600);
	KTAP_OK(write(fd, a.data, a.len / 2) > 0);
	close(fd);
	KTAP_EQ(np_cert_load(in_dir("c.pem"), in_dir("short.key"), &back, &err), -EBADMSG);
	np_secret_fini(&a);
	np_secret_fini(&b);
	np_cert_free(cert);
}

/* A handshake through our own transport: what a client says to each kind of certificate. */
struct hand {
	int ended;
	bool ready;
	struct np_err err;
};

static void on_ready(struct np_tls *tls, void *arg)
{
	struct hand *hand = arg;

	(void)tls;
	hand->ready = true;
	hand->ended++;
}

static void on_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	(void)tls;
	(void)data;
	(void)len;
	(void)arg;
}

static void on_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	struct hand *hand = arg;

	(void)tls;
	hand->err = *err;
	hand->ended++;
}

static const struct np_tls_ops hand_ops = {.ready = on_ready, .data = on_data, .closed = on_closed};

/*
 * Return: whether the client was content; the client presents the same certificate, which must name
 * @host.
 */
static bool handshake(const struct np_cert *root, const struct np_cert *cert, const char *host,
		      struct np_err *why)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct np_tls_ctx *sctx = NULL, *cctx = NULL;
	struct np_tls *server = NULL, *client = NULL;
	struct hand s = {0}, c = {0};
	int sv[2], turns;

	unlink(in_dir("hs.pem"));
	unlink(in_dir("hs.key"));
	unlink(in_dir("hs-ca.pem"));
	unlink(in_dir("hs-ca.key"));
	np_cert_save(cert, in_dir("hs.pem"), in_dir("hs.key"), NULL);
	np_cert_save(root, in_dir("hs-ca.pem"), in_dir("hs-ca.key"), NULL);
	KTAP_EQ(np_tls_server_ctx(in_dir("hs.pem"), in_dir("hs.key"), in_dir("hs-ca.pem"), &sctx,
				  why),
		0);
	KTAP_EQ(np_tls_client_ctx(in_dir("hs-ca.pem"), in_dir("hs.pem"), in_dir("hs.key"), &cctx,
				  why),
		0);
	KTAP_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	KTAP_EQ(np_tls_accept(loop, sctx, sv[0], &hand_ops, &s, &server, why), 0);
	KTAP_EQ(np_tls_connect(loop, cctx, sv[1], host, &hand_ops, &c, &client, why), 0);
	for (turns = 0; turns < 1000 && (!c.ended || !s.ended); turns++)
		ev_run(loop, EVRUN_ONCE);
	*why = c.err;
	if (c.ready && s.ready) {
		KTAP_OK(np_tls_peer_names_host(server, host));
		/* the certificate of realm.example is none for ealm.example */
		KTAP_OK(!np_tls_peer_names_host(server, host + 1));
	}
	np_tls_close(client);
	np_tls_close(server);
	np_tls_ctx_free(sctx);
	np_tls_ctx_free(cctx);
	ev_loop_destroy(loop);
	return c.ready;
}

static void clients_judge_as_they_should(void)
{
	struct np_cert *good = issue(ca, "realm.example", "127.0.0.1", 0, 0);
	struct np_cert *old = issue(ca, "realm.example", NULL, -10 * NP_CERT_DAY_S, -60);
	struct np_cert *other_ca = NULL;
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_cert_make_ca(&(struct np_cert_params){.name = "other"}, &other_ca, NULL), 0);
	KTAP_OK(handshake(ca, good, "realm.example", &err));
	KTAP_OK(handshake(ca, good, "127.0.0.1", &err));
	KTAP_OK(!handshake(ca, good, "wrong.example", &err));
	KTAP_OK(!handshake(ca, old, "realm.example", &err));
	KTAP_OK(strstr(err.msg, "expired"));
	KTAP_OK(!handshake(other_ca, good, "realm.example", &err));
	np_cert_free(other_ca);
	np_cert_free(good);
	np_cert_free(old);
}

int main(void)
{
	char cmd[96];

	signal(SIGPIPE, SIG_IGN); /* as every program does */

	snprintf(dir, sizeof(dir), "/tmp/np-cert-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	if (np_cert_make_ca(&(struct np_cert_params){.name = "test realm"}, &ca, NULL))
		return 1;
	KTAP_RUN(server_certificate_is_strictly_valid);
	KTAP_RUN(expired_and_early_ones_can_be_made);
	KTAP_RUN(bad_hosts_are_refused);
	KTAP_RUN(renewal_keeps_key_and_hosts);
	KTAP_RUN(files_are_saved_once_and_load_back);
	KTAP_RUN(clients_judge_as_they_should);
	np_cert_free(ca);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) | ktap_done();
}
